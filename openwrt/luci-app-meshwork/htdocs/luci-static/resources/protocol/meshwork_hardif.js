'use strict';
'require form';
'require network';
'require uci';

// A hard interface: one that leads to other nodes, a radio or a wire.

return network.registerProtocol('meshwork_hardif', {
	getI18n: function() {
		return _('Mesh port (Meshwork)');
	},

	getPackageName: function() {
		return 'meshwork';
	},

	getOpkgPackage: function() {
		return 'meshwork';
	},

	renderFormOptions: function(s) {
		var o;

		o = s.taboption('general', form.ListValue, 'master', _('Mesh'),
			_('The mesh interface that this port belongs to.'));
		uci.sections('network', 'interface', function(section) {
			if (section.proto == 'meshwork')
				o.value(section['.name']);
		});
		o.rmempty = false;

		s.tab('mesh', _('Mesh'));

		o = s.taboption('mesh', form.Value, 'mtu', _('MTU'),
			_('1532 or more carries full-sized frames in one piece, where the hardware allows it.'));
		o.placeholder = '1532';
		o.datatype = 'range(1280, 9000)';

		o = s.taboption('mesh', form.Value, 'hop_penalty', _('Hop penalty'),
			_('Makes ways over this port worse by so much, of 255.'));
		o.placeholder = '0';
		o.datatype = 'range(0, 255)';

		o = s.taboption('mesh', form.Value, 'elp_interval', _('Hello interval'),
			_('BATMAN V: milliseconds between two hellos.'));
		o.placeholder = '500';
		o.datatype = 'range(40, 60000)';

		o = s.taboption('mesh', form.Value, 'throughput_override', _('Throughput'),
			_('BATMAN V: how fast links here are, such as 100mbit, where the node cannot find out.'));
		o.placeholder = _('found out');
	}
});
