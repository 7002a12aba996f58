'use strict';
'require view';
'require fs';
'require ui';
'require uci';
'require network';

// First join: what meshes are in reach, and one click to join one. It writes OpenWrt's own wireless and network
// configuration, as an owner would by hand, and applies it with the usual roll-back. LuCI is reached from the LAN only.

var PROGRAM = '/usr/sbin/meshwork';

// Names of sections that this page writes; it never touches another one.
var SECTION = { mesh: 'mesh0', port: 'mesh0_radio', wifi: 'meshwork_radio' };

function strength(dbm) {
	if (dbm == null)
		return '?';
	return dbm + ' dBm, ' + (dbm >= -60 ? _('strong') : dbm >= -72 ? _('good') : dbm >= -82 ? _('fair') : _('weak'));
}

// OpenWrt's radio (radio0) of a kernel's one (phy0).
function radioOf(devices, phy, channel) {
	var index = /(\d+)$/.exec(phy || '');
	var byName = devices.filter(function(d) { return index && d.getName() == 'radio' + index[1]; })[0];
	return byName || devices[0] || null;
}

// Why a mesh cannot be joined from this page, or null.
function obstacle(mesh, radio) {
	if (!mesh.joinable)
		return mesh.why_not || _('the radio does not allow it');
	if (mesh.mode != 'mesh')
		return _('an ad-hoc network: join it on the wireless page');
	if (!radio)
		return _('no radio is configured');
	if (!uci.get('wireless', radio.getName(), 'country'))
		return _('say first in which country the router is: wireless page, radio, "Country Code"');
	return null;
}

// Writes what joining takes. Returns the name of the radio.
function configure(mesh, radio, passphrase) {
	var name = radio.getName();
	uci.set('wireless', name, 'disabled', null);
	uci.set('wireless', name, 'channel', '' + mesh.channel);
	if (!uci.get('wireless', SECTION.wifi))
		uci.add('wireless', 'wifi-iface', SECTION.wifi);
	uci.set('wireless', SECTION.wifi, 'device', name);
	uci.set('wireless', SECTION.wifi, 'mode', 'mesh');
	uci.set('wireless', SECTION.wifi, 'mesh_id', mesh.mesh_id);
	// The mesh routes by itself: 802.11s below must not.
	uci.set('wireless', SECTION.wifi, 'mesh_fwding', '0');
	uci.set('wireless', SECTION.wifi, 'network', SECTION.port);
	uci.set('wireless', SECTION.wifi, 'encryption', mesh.protection == 'sae' ? 'sae' : 'none');
	uci.set('wireless', SECTION.wifi, 'key', mesh.protection == 'sae' ? passphrase : null);
	if (!uci.get('network', SECTION.mesh))
		uci.add('network', 'interface', SECTION.mesh);
	uci.set('network', SECTION.mesh, 'proto', 'meshwork');
	if (!uci.get('network', SECTION.port))
		uci.add('network', 'interface', SECTION.port);
	uci.set('network', SECTION.port, 'proto', 'meshwork_hardif');
	uci.set('network', SECTION.port, 'master', SECTION.mesh);
	uci.set('network', SECTION.port, 'mtu', '1532');
	if (uci.get('meshwork', SECTION.mesh) && uci.get('meshwork', SECTION.mesh, 'enabled') == '0')
		uci.set('meshwork', SECTION.mesh, 'enabled', null);
	return name;
}

return view.extend({
	handleSave: null,
	handleSaveApply: null,
	handleReset: null,

	load: function() {
		return Promise.all([
			network.getWifiDevices(), uci.load('wireless'), uci.load('network'), L.resolveDefault(uci.load('meshwork'), null)
		]);
	},

	// A scan takes some seconds, and the radio leaves its channel for moments only if nobody uses it.
	scan: function() {
		return fs.exec(PROGRAM, [ 'scan', '--json' ]).then(function(done) {
			var answer = null;
			try { answer = JSON.parse(done.stdout); } catch (e) { }
			if (!answer)
				throw new Error((done.stderr || _('The node cannot look around.')).replace(/^meshwork: /, ''));
			return answer;
		});
	},

	join: function(mesh, radio, passphrase) {
		if (mesh.protection == 'sae' && (passphrase.length < 8 || passphrase.length > 63))
			return Promise.reject(new Error(_('A passphrase has 8 to 63 characters.')));
		configure(mesh, radio, passphrase);
		return uci.save().then(function() {
			return ui.changes.apply(true);
		});
	},

	row: function(mesh) {
		var self = this, radio = radioOf(this.devices, mesh.phy, mesh.channel), why = obstacle(mesh, radio);
		var secret = mesh.protection == 'sae'
			? E('input', { 'type': 'password', 'placeholder': _('Passphrase'), 'autocomplete': 'off' }) : null;
		var act = why ? E('em', why) : E('div', {}, [ secret, E('button', {
			'class': 'btn cbi-button-apply',
			'click': ui.createHandlerFn(this, function() {
				return self.join(mesh, radio, secret ? secret.value : '').catch(function(e) {
					ui.addNotification(null, E('p', e.message), 'error');
				});
			})
		}, _('Join')) ].filter(function(e) { return e; }));
		return E('tr', { 'class': 'tr' }, [
			E('td', { 'class': 'td' }, mesh.mesh_id),
			E('td', { 'class': 'td' }, '' + mesh.channel),
			E('td', { 'class': 'td' }, strength(mesh.signal_dbm)),
			E('td', { 'class': 'td' }, (mesh.algo_names || []).join(', ').replace(/_/g, ' ') || '?'),
			E('td', { 'class': 'td' }, act)
		]);
	},

	found: function(answer) {
		var notes = (answer.notes || []).map(function(text) { return E('p', E('em', text)); });
		if (!answer.meshes.length)
			return notes.concat([ E('p', _('No mesh is in reach. To found one, name it below; others will find it.')) ]);
		return notes.concat([ E('table', { 'class': 'table' }, [
			E('tr', { 'class': 'tr table-titles' }, [ _('Mesh'), _('Channel'), _('Strength'), _('Routing'), '' ].map(function(t) {
				return E('th', { 'class': 'th' }, t);
			}))
		].concat(answer.meshes.map(this.row, this))) ]);
	},

	// A mesh that nobody is heard of, in the form of one that was found.
	founded: function(name, channel, passphrase) {
		if (!/^[\x20-\x7e]{1,32}$/.test(name))
			throw new Error(_('The name of a mesh has 1 to 32 characters.'));
		if (!/^\d{1,3}$/.test(channel))
			throw new Error(_('The channel is a number such as 36.'));
		return { mesh_id: name, channel: +channel, protection: passphrase ? 'sae' : 'open', mode: 'mesh', joinable: true };
	},

	render: function(loaded) {
		var self = this;
		this.devices = loaded[0];
		var list = E('div', { 'id': 'meshwork-found' }, E('em', _('Not looked yet.')));
		var name = E('input', { 'type': 'text', 'placeholder': _('Name of the mesh'), 'maxlength': 32 });
		var channel = E('input', { 'type': 'text', 'placeholder': _('Channel'), 'size': 4 });
		var secret = E('input', { 'type': 'password', 'placeholder': _('Passphrase, or none'), 'autocomplete': 'off' });
		return E('div', {}, [
			E('h2', _('Join a mesh')),
			E('p', _('Your own network stays private: the mesh is a network of its own that does not reach it.')),
			E('button', {
				'class': 'btn cbi-button-action',
				'click': ui.createHandlerFn(this, function() {
					list.replaceChildren(E('em', { 'class': 'spinning' }, _('Looking around…')));
					return self.scan().then(function(answer) {
						list.replaceChildren.apply(list, self.found(answer));
					}, function(e) {
						list.replaceChildren(E('p', { 'class': 'alert-message error' }, e.message));
					});
				})
			}, _('Look for meshes')),
			list,
			E('h3', _('Found a mesh')),
			name, channel, secret,
			E('button', {
				'class': 'btn cbi-button-apply',
				'click': ui.createHandlerFn(this, function() {
					try {
						var mesh = self.founded(name.value, channel.value, secret.value), radio = self.devices[0] || null;
						var why = obstacle(mesh, radio);
						if (why)
							throw new Error(why);
						return self.join(mesh, radio, secret.value);
					} catch (e) {
						ui.addNotification(null, E('p', e.message), 'error');
					}
				})
			}, _('Found it'))
		]);
	}
});
