'use strict';
'require form';
'require network';
'require tools.widgets as widgets';

// A mesh interface: network/interfaces, protocol "Meshwork". Options are those of batman-adv's page and handler;
// everything else stands in /etc/config/meshwork.

network.registerPatternVirtual(/^mesh\d+$/);

return network.registerProtocol('meshwork', {
	getI18n: function() {
		return _('Mesh of the neighbourhood (Meshwork)');
	},

	getIfname: function() {
		return this._ubus('l3_device') || this.sid;
	},

	getPackageName: function() {
		return 'meshwork';
	},

	// LuCI of OpenWrt 24.10 asks by this name.
	getOpkgPackage: function() {
		return 'meshwork';
	},

	isFloating: function() {
		return true;
	},

	isVirtual: function() {
		return true;
	},

	getDevices: function() {
		return null;
	},

	containsDevice: function(ifname) {
		return (network.getIfnameOf(ifname) == this.getIfname());
	},

	renderFormOptions: function(s) {
		var o;

		s.tab('mesh', _('Mesh'));

		o = s.taboption('mesh', form.ListValue, 'routing_algo', _('Routing algorithm'),
			_('All nodes of a mesh run the same one. "As the mesh" listens first and follows.'));
		o.value('', _('As the mesh'));
		o.value('BATMAN_IV', 'BATMAN IV');
		o.value('BATMAN_V', 'BATMAN V');
		o.optional = true;

		o = s.taboption('mesh', form.Value, 'orig_interval', _('Originator interval'),
			_('Milliseconds between two messages that tell the mesh of this node. Meshes of hundreds of nodes use 5000.'));
		o.placeholder = '1000';
		o.datatype = 'range(40, 60000)';

		o = s.taboption('mesh', form.Value, 'hop_penalty', _('Hop penalty'),
			_('What each hop takes off the quality of a way, of 255. Lower it in meshes of more than 20 hops.'));
		o.placeholder = '30';
		o.datatype = 'range(0, 255)';

		o = s.taboption('mesh', form.Flag, 'aggregated_ogms', _('Collect originator messages'),
			_('Sends several in one frame, which saves time on the air.'));
		o.default = o.enabled;

		o = s.taboption('mesh', form.Flag, 'fragmentation', _('Fragmentation'),
			_('Cuts packets that do not fit a hard interface. Without it they are lost.'));
		o.default = o.enabled;

		o = s.taboption('mesh', form.Flag, 'bonding', _('Bonding'),
			_('Uses several links to one neighbour at once. Packets can come in another order.'));
		o.default = o.disabled;

		s.tab('clients', _('Clients'));

		o = s.taboption('clients', form.Flag, 'ap_isolation', _('Isolate clients'),
			_('Wireless clients of different nodes do not reach each other.'));
		o.default = o.disabled;

		o = s.taboption('clients', form.Flag, 'bridge_loop_avoidance', _('Avoid loops'),
			_('Several nodes may be on one LAN. Leave it on where the mesh is part of a bridge.'));
		o.default = o.enabled;

		o = s.taboption('clients', form.Flag, 'distributed_arp_table', _('Distributed ARP table'),
			_('Answers ARP questions from memory, so that they do not flood the mesh.'));
		o.default = o.enabled;

		o = s.taboption('clients', form.Flag, 'multicast_mode', _('Multicast to listeners only'),
			_('Frames for a group go to those who listen. Without it they go to all nodes.'));
		o.default = o.enabled;

		o = s.taboption('clients', form.Value, 'multicast_fanout', _('Multicast copies'),
			_('With more listeners than this, a frame is flooded instead.'));
		o.placeholder = '16';
		o.datatype = 'uinteger';
		o.depends('multicast_mode', '1');

		s.tab('gateway', _('Internet'));

		o = s.taboption('gateway', form.ListValue, 'gw_mode', _('Gateway'),
			_('A server offers its own Internet to the mesh; a client chooses one of those who do.'));
		o.value('off', _('Off'));
		o.value('client', _('Client'));
		o.value('server', _('Server'));
		o.default = 'off';

		o = s.taboption('gateway', form.Value, 'gw_bandwidth', _('Bandwidth offered'),
			_('Towards the mesh and towards the Internet, such as 10MBit/2MBit.'));
		o.placeholder = '10MBit/2MBit';
		o.validate = function(section, value) {
			return /^\s*\d+(\.\d)?\s*([kKmM][bB]it)?(\s*\/\s*\d+(\.\d)?\s*([kKmM][bB]it)?)?\s*$/.test(value) || value === '' ||
				_('Two rates such as 10MBit/2MBit');
		};
		o.depends('gw_mode', 'server');

		o = s.taboption('gateway', form.Value, 'gw_sel_class', _('Selection class'),
			_('How a client chooses. BATMAN IV: 1 weighs bandwidth, 2 stays with the first, 3 and more change when another is better by so much.'));
		o.placeholder = '20';
		o.datatype = 'uinteger';
		o.depends('gw_mode', 'client');
	}
});
