'use strict';
'require form';
'require network';

// A VLAN on a mesh interface, such as mesh0.7.

return network.registerProtocol('meshwork_vlan', {
	getI18n: function() {
		return _('VLAN of a mesh (Meshwork)');
	},

	getPackageName: function() {
		return 'meshwork';
	},

	getOpkgPackage: function() {
		return 'meshwork';
	},

	renderFormOptions: function(s) {
		var o = s.taboption('general', form.Flag, 'ap_isolation', _('Isolate clients'),
			_('Wireless clients of different nodes do not reach each other in this VLAN.'));
		o.default = o.disabled;
	}
});
