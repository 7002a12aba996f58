'use strict';
'require view';
'require fs';
'require ui';

// First join: what meshes are in reach, what the node would do and why not something else, and one click to do it.
// The decision and everything that is written are those of /usr/lib/meshwork/setup, as at the first start and in the
// shell; this page asks and shows. LuCI is reached from the LAN only.

var SETUP = '/usr/lib/meshwork/setup';

// Where a passphrase lies until the script has read it, and taken it away.
var KEY = '/var/run/meshwork-setup.key';

function strength(dbm) {
	if (dbm == null)
		return '?';
	return dbm + ' dBm, ' + (dbm >= -60 ? _('strong') : dbm >= -72 ? _('good') : dbm >= -82 ? _('fair') : _('weak'));
}

// What is to be done, in a sentence.
function decision(answer) {
	switch (answer.action) {
	case 'join': return _('To do: join %s, which is in reach.').format(answer.mesh_id);
	case 'found': return _('To do: found %s; others of that name will be the same mesh.').format(answer.mesh_id);
	case 'choose': return _('Several meshes are in reach. Choose yours:');
	default: return _('No mesh can be joined yet:');
	}
}

// The last words of the script; what it logs begins with nothing else.
function words(done) {
	return ((done.stdout || '') + (done.stderr || '')).replace(/^meshwork: /gm, '').trim();
}

function fine(passphrase, needed) {
	if (!needed && !passphrase)
		return true;
	return passphrase.length >= 8 && passphrase.length <= 63;
}

return view.extend({
	handleSave: null,
	handleSaveApply: null,
	handleReset: null,

	// A look around takes some seconds, and a radio leaves its channel for moments only if nobody uses it.
	look: function() {
		return fs.exec(SETUP, [ 'status' ]).then(function(done) {
			var answer = null;
			try { answer = JSON.parse(done.stdout); } catch (e) { }
			if (!answer)
				throw new Error(words(done) || _('The node cannot look around.'));
			return answer;
		});
	},

	// Runs the script with words of the owner; rejects with what it said.
	ask: function(args, passphrase) {
		var self = this;
		if (passphrase)
			return fs.write(KEY, passphrase + '\n', 384).then(function() { return self.ask(args.concat(KEY)); });
		return fs.exec(SETUP, args).then(function(done) {
			if (done.code)
				throw new Error(words(done) || _('It did not work.'));
			return words(done);
		});
	},

	told: function(promise) {
		return promise.then(function(said) {
			ui.addNotification(null, E('p', said), 'info');
		}, function(e) {
			ui.addNotification(null, E('p', e.message), 'error');
		});
	},

	join: function(name, needed, passphrase) {
		if (!fine(passphrase, needed))
			return this.told(Promise.reject(new Error(_('A passphrase has 8 to 63 characters.'))));
		return this.told(this.ask([ 'join', name ], passphrase));
	},

	found: function(name, channel, passphrase) {
		var wrong = !/^[\x20-\x7e]{1,32}$/.test(name) ? _('The name of a mesh has 1 to 32 characters.')
			: !/^\d{1,3}$/.test(channel) ? _('The channel is a number such as 36.')
			: !fine(passphrase) ? _('A passphrase has 8 to 63 characters.') : null;
		if (wrong)
			return this.told(Promise.reject(new Error(wrong)));
		return this.told(this.ask([ 'found', name, channel ], passphrase));
	},

	// A button that joins, with a field for the passphrase where one is needed and no file knows it.
	joining: function(name, secret) {
		var field = secret ? E('input', { 'type': 'password', 'placeholder': _('Passphrase'), 'autocomplete': 'off' }) : null;
		return [ field, E('button', {
			'class': 'btn cbi-button-apply',
			'click': ui.createHandlerFn(this, function() { return this.join(name, secret, field ? field.value : ''); })
		}, _('Join')) ].filter(function(e) { return e; });
	},

	row: function(answer, mesh) {
		var reasons = (mesh.reasons || []).map(function(reason) { return E('p', E('em', reason.text)); });
		var known = answer.community && answer.community.protected && mesh.named;
		var act = reasons.length ? reasons : this.joining(mesh.mesh_id, mesh.protection == 'sae' && !known);
		return E('tr', { 'class': 'tr' }, [
			E('td', { 'class': 'td' }, mesh.mesh_id),
			E('td', { 'class': 'td' }, '' + mesh.channel),
			E('td', { 'class': 'td' }, strength(mesh.signal_dbm)),
			E('td', { 'class': 'td' }, (mesh.algo_names || []).join(', ').replace(/_/g, ' ') || '?'),
			E('td', { 'class': 'td' }, act)
		]);
	},

	shown: function(answer) {
		var self = this, out = [ E('p', E('strong', decision(answer))) ];
		(answer.reasons || []).forEach(function(reason) { out.push(E('p', E('em', reason.text))); });
		(answer.notes || []).forEach(function(text) { out.push(E('p', E('em', text))); });
		// The community's own mesh, also where none of it is heard: its file knows channel and key.
		if (answer.community && (answer.action == 'join' || answer.action == 'found'))
			out.push(E('div', {}, this.joining(answer.mesh_id, false)));
		if (!answer.meshes.length)
			return out.concat([ E('p', _('No mesh is in reach. To found one, name it below; others will find it.')) ]);
		return out.concat([ E('table', { 'class': 'table' }, [
			E('tr', { 'class': 'tr table-titles' }, [ _('Mesh'), _('Channel'), _('Strength'), _('Routing'), '' ].map(function(t) {
				return E('th', { 'class': 'th' }, t);
			}))
		].concat(answer.meshes.map(function(mesh) { return self.row(answer, mesh); }))) ]);
	},

	// What it means that a wired port carries the mesh; done only after a second click.
	port: function(name, place) {
		var self = this;
		return this.ask([ 'port', name ]).then(function(said) {
			place.replaceChildren(E('p', said.split('\n')[0]), E('button', {
				'class': 'btn cbi-button-apply',
				'click': ui.createHandlerFn(self, function() {
					place.replaceChildren();
					return self.told(self.ask([ 'port', name, '--confirm' ]));
				})
			}, _('Yes, that is what I want')));
		}, function(e) {
			place.replaceChildren(E('p', { 'class': 'alert-message error' }, e.message));
		});
	},

	render: function() {
		var self = this;
		var list = E('div', { 'id': 'meshwork-found' }, E('em', _('Not looked yet.')));
		var name = E('input', { 'type': 'text', 'placeholder': _('Name of the mesh'), 'maxlength': 32 });
		var channel = E('input', { 'type': 'text', 'placeholder': _('Channel'), 'size': 4 });
		var secret = E('input', { 'type': 'password', 'placeholder': _('Passphrase, or none'), 'autocomplete': 'off' });
		var port = E('input', { 'type': 'text', 'placeholder': _('Port, like lan4'), 'size': 12 });
		var meaning = E('div', {});
		return E('div', {}, [
			E('h2', _('Join a mesh')),
			E('p', _('Your own network stays private: the mesh is a network of its own that does not reach it.')),
			E('p', _('Joining restarts the radios: Wi-Fi of this router is away for some seconds.')),
			E('button', {
				'class': 'btn cbi-button-action',
				'click': ui.createHandlerFn(this, function() {
					list.replaceChildren(E('em', { 'class': 'spinning' }, _('Looking around…')));
					return self.look().then(function(answer) {
						list.replaceChildren.apply(list, self.shown(answer));
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
				'click': ui.createHandlerFn(this, function() { return self.found(name.value, channel.value, secret.value); })
			}, _('Found it')),
			E('h3', _('A wired port')),
			E('p', _('A port that carries the mesh leads to another router of it, by cable.')),
			port,
			E('button', {
				'class': 'btn cbi-button-action',
				'click': ui.createHandlerFn(this, function() { return self.port(port.value, meaning); })
			}, _('What would that mean?')),
			meaning
		]);
	}
});
