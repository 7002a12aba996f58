'use strict';
'require view';
'require poll';
'require rpc';
'require uci';

// The state of the mesh: the node's own live page where the browser reaches it, else tables from ubus.

// Most rows of a table here; the live page and `meshwork originators` show all.
var ROWS = 250;

var callStatus = rpc.declare({ object: 'meshwork', method: 'status' });
var callNeighbors = rpc.declare({ object: 'meshwork', method: 'neighbors' });
var callOriginators = rpc.declare({ object: 'meshwork', method: 'originators', params: [ 'offset', 'limit' ] });
var callGateways = rpc.declare({ object: 'meshwork', method: 'gateways' });

function seconds(msecs) {
	return (msecs / 1000).toFixed(msecs < 10000 ? 1 : 0) + ' s';
}

function duration(msecs) {
	var s = Math.floor(msecs / 1000), d = Math.floor(s / 86400), h = Math.floor(s / 3600) % 24, m = Math.floor(s / 60) % 60;
	return d ? _('%d d %d h').format(d, h) : h ? _('%d h %d min').format(h, m) : _('%d min %d s').format(m, s % 60);
}

// IV counts to 255; V measures kbit/s.
function quality(entry) {
	if (entry.tq != null)
		return Math.round(entry.tq * 100 / 255) + ' %';
	if (entry.throughput != null)
		return (entry.throughput / 1000).toFixed(1) + ' Mbit/s';
	return '-';
}

function table(titles, rows, empty) {
	var t = E('table', { 'class': 'table' }, [
		E('tr', { 'class': 'tr table-titles' }, titles.map(function(title) {
			return E('th', { 'class': 'th' }, title);
		}))
	]);
	cbi_update_table(t, rows, E('em', empty));
	return t;
}

function facts(status) {
	var s = status.status || {}, node = status.node || {};
	var used = (s.interfaces || []).filter(function(i) { return i.active; }).map(function(i) { return i.hard_ifname; });
	var rows = [
		[ _('Version'), node.version || '-' ],
		[ _('Routing algorithm'), (node.algo_name || '-').replace('_', ' ') ],
		[ _('Name of this node'), node.hard_address || _('none yet: no mesh port is up') ],
		[ _('Running for'), s.uptime_msecs != null ? duration(s.uptime_msecs) : '-' ],
		[ _('Mesh ports'), used.join(', ') || _('none') ],
		[ _('Neighbours'), '' + (s.neighbors || 0) ],
		[ _('Nodes in reach'), '' + (s.originators || 0) ],
		[ _('Clients here / elsewhere'), (s.local_clients || 0) + ' / ' + (s.global_clients || 0) ]
	];
	return E('table', { 'class': 'table' }, rows.map(function(row) {
		return E('tr', { 'class': 'tr' }, [
			E('td', { 'class': 'td left', 'width': '33%' }, row[0]), E('td', { 'class': 'td left' }, row[1])
		]);
	}));
}

// What a person should know: options that were passed over, ports that cannot be used, alarms.
function warnings(status) {
	var s = status.status || {}, all = [];
	((s.config || {}).complaints || []).forEach(function(text) { all.push(text); });
	if (s.config && s.config.reload && s.config.reload.error)
		all.push(s.config.reload.error);
	(s.interfaces || []).forEach(function(i) {
		if (i.reason)
			all.push(i.hard_ifname + ': ' + i.reason);
	});
	(s.alarms || []).forEach(function(alarm) {
		all.push([ alarm.what.replace(/_/g, ' '), alarm.hard_ifname, alarm.neigh_address, alarm.orig_address ]
			.filter(function(part) { return part; }).join(' '));
	});
	return all;
}

function neighbors(answer) {
	return (answer.neighbors || []).map(function(n) {
		return [ n.hard_ifname, n.orig_address || n.neigh_address, quality(n), seconds(n.last_seen_msecs), n.meshwork ? 'Meshwork' : 'batman-adv' ];
	});
}

function originators(answer) {
	return (answer.originators || []).filter(function(o) { return o.best; }).map(function(o) {
		return [ o.orig_address, quality(o), o.neigh_address, o.hard_ifname, seconds(o.last_seen_msecs), '' + o.clients ];
	});
}

function gateways(answer) {
	return (answer.gateways || []).map(function(g) {
		return [ (g.best ? '* ' : '') + g.orig_address, g.bandwidth_down / 10 + ' / ' + g.bandwidth_up / 10 + ' Mbit/s', g.router || '-' ];
	});
}

// Where the live page is, if the browser may show it here: a page with https shows no other without.
function livePage() {
	var port = uci.get('meshwork', 'http', 'port') || 4305;
	if (window.location.protocol == 'https:')
		return null;
	return 'http://%s:%d/'.format(window.location.hostname, port);
}

// Whether somebody listens there. What it answers cannot be read from here, only that it does.
function reaches(url) {
	return window.fetch(url + 'healthz', { mode: 'no-cors', cache: 'no-store' })
		.then(function() { return true; }, function() { return false; });
}

return view.extend({
	handleSave: null,
	handleSaveApply: null,
	handleReset: null,

	answers: function() {
		return Promise.all([
			L.resolveDefault(callStatus(), null), L.resolveDefault(callNeighbors(), {}),
			L.resolveDefault(callOriginators(0, ROWS), {}), L.resolveDefault(callGateways(), {})
		]);
	},

	load: function() {
		var self = this;
		return L.resolveDefault(uci.load('meshwork'), null).then(function() {
			var url = livePage();
			return Promise.all([ self.answers(), url ? reaches(url) : false, url ]);
		});
	},

	tables: function(answers) {
		var status = answers[0];
		if (!status || !status.status)
			return [ E('div', { 'class': 'alert-message warning' }, [
				E('p', _('No mesh node is running.')),
				E('p', E('a', { 'href': L.url('admin/network/meshwork') }, _('Join or found a mesh')))
			]) ];
		var trouble = warnings(status), found = answers[2].originators_total, out = [];
		if (trouble.length)
			out.push(E('div', { 'class': 'alert-message warning' }, E('ul', trouble.map(function(text) { return E('li', text); }))));
		out.push(facts(status));
		out.push(E('h3', _('Neighbours')));
		out.push(table([ _('Port'), _('Node'), _('Quality'), _('Last heard'), _('Runs') ], neighbors(answers[1]), _('Nobody is heard.')));
		out.push(E('h3', _('Nodes in reach')));
		out.push(table([ _('Node'), _('Quality'), _('Next hop'), _('Port'), _('Last heard'), _('Clients') ], originators(answers[2]), _('No node is in reach.')));
		if (found > ROWS)
			out.push(E('p', E('em', _('Of %d ways the first %d are shown.').format(found, ROWS))));
		out.push(E('h3', _('Internet')));
		out.push(table([ _('Gateway'), _('Offers down / up'), _('Next hop') ], gateways(answers[3]), _('Nobody offers Internet.')));
		return out;
	},

	render: function(loaded) {
		var self = this, live = loaded[1], url = loaded[2];
		var box = E('div', { 'id': 'meshwork-tables' }, this.tables(loaded[0]));
		poll.add(function() {
			return self.answers().then(function(answers) {
				box.replaceChildren.apply(box, self.tables(answers));
			});
		}, 5);
		var page = [ E('h2', _('Mesh')) ];
		if (live)
			page.push(E('iframe', {
				'src': url, 'title': _('Live view of the mesh'), 'style': 'width:100%;height:70vh;border:0'
			}));
		page.push(box);
		return E('div', {}, page);
	}
});
