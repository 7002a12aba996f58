// The pages for LuCI, rendered under node with small stand-ins for what LuCI gives them. What a page shows, what it
// writes and what it asks for is compared with the rest of the project: the daemon's methods and keys, the options of
// the protocol handler, the rights that the package asks for.
//   node tests/openwrt/luci.js ROOT
// Last line: "N passed, N failed".
'use strict';
const fs = require('fs'), path = require('path');
const root = process.argv[2], app = path.join(root, 'openwrt/luci-app-meshwork');
let passed = 0, failed = 0;

function check(what, expected, found) {
	const [e, f] = [expected, found].map(v => typeof v == 'string' ? v : JSON.stringify(v));
	if (e === f) { passed++; return; }
	failed++;
	console.log(`FAILED ${what}\n  expected: ${e}\n  found:    ${f}`);
}
const read = (...parts) => fs.readFileSync(path.join(...parts), 'utf8');

// A page element, and the text in it.
function E(tag, attrs, children) {
	if (typeof attrs != 'object' || Array.isArray(attrs) || attrs.tag) [attrs, children] = [{}, attrs];
	const node = { tag, attrs: attrs || {}, children: [].concat(children == null ? [] : children), value: '' };
	node.replaceChildren = (...c) => { node.children = c; };
	return node;
}
const text = n => n == null ? '' : typeof n == 'object' ? (n.children || []).map(text).join(' ') : String(n);
const find = (n, tag) => n == null || typeof n != 'object' ? [] :
	(n.tag == tag ? [n] : []).concat(...(n.children || []).map(c => find(c, tag)));
String.prototype.format = function(...args) { let i = 0; return this.replace(/%[ds]/g, () => args[i++]); };

// A module of LuCI: its 'require' lines are its arguments.
function load(file, given) {
	const source = read(app, 'htdocs/luci-static/resources', file), names = [], values = [];
	for (const [, what, as] of source.matchAll(/^'require ([a-z.]+)(?: as ([a-z]+))?';$/gm)) {
		names.push(as || what);
		if (!(what in given)) throw new Error(`${file} wants ${what}`);
		values.push(given[what]);
	}
	const globals = { E, _: t => t, L: given.L, cbi_update_table: given.cbi_update_table, window: given.window };
	return new Function(...names, ...Object.keys(globals), source)(...values, ...Object.values(globals));
}

// ---- protocols -----------------------------------------------------------------------------------------------
function options(file) {
	const seen = {};
	const section = {
		tab() {},
		taboption(tab, kind, name, title, help) {
			const o = { kind, name, title, help, enabled: '1', disabled: '0', values: [], value(v) { this.values.push(v); }, depends() {} };
			seen[name] = o;
			return o;
		}
	};
	const form = { Value: 'Value', Flag: 'Flag', ListValue: 'ListValue' };
	let name;
	const network = {
		registerPatternVirtual(p) { check(`${file}: mesh0 is a virtual device`, true, p.test('mesh0')); },
		registerProtocol(n, page) { name = n; return page; }
	};
	const uci = { sections(conf, type, each) { each({ '.name': 'mesh0', proto: 'meshwork' }); each({ '.name': 'lan', proto: 'static' }); } };
	const page = load(`protocol/${file}.js`, { form, network, uci, 'tools.widgets': {}, L: {} });
	page.renderFormOptions(section);
	check(`${file} is the protocol of its name`, file, name);
	for (const o of Object.values(seen))
		check(`${file}.${o.name} says what it does`, true, !!(o.title && o.help && o.help.length > 15));
	return seen;
}
const handler = read(root, 'openwrt/files/lib/netifd/proto/meshwork.sh');
function handled(proto) {
	const body = handler.split(`proto_${proto}_init_config()`)[1].split('\n}')[0];
	return [...body.matchAll(/proto_config_add_\w+ (\w+)/g)].map(m => m[1]).sort();
}
const mesh = options('meshwork'), hardif = options('meshwork_hardif'), vlan = options('meshwork_vlan');
check('the page has every option of the mesh', handled('meshwork'), Object.keys(mesh).sort());
// The MTU is netifd's own option.
check('and of its ports', handled('meshwork_hardif'), Object.keys(hardif).filter(n => n != 'mtu').sort());
check('and of VLANs', handled('meshwork_vlan'), Object.keys(vlan).sort());
check('a port belongs to a mesh, not to another interface', ['mesh0'], hardif.master.values);
for (const [value, good] of [['10MBit/2MBit', true], ['10000/2000', true], ['1.5mbit', true], ['fast', false], ['1/2/3', false]])
	check(`bandwidth ${value}`, good, mesh.gw_bandwidth.validate('s', value) === true);

// ---- status --------------------------------------------------------------------------------------------------
const messages = read(root, 'daemon/src/ubus/message.rs');
const methods = [...messages.split('METHODS')[1].split('];')[0].matchAll(/\("(\w+)"/g)].map(m => m[1]);
const acl = JSON.parse(read(app, 'root/usr/share/rpcd/acl.d/luci-app-meshwork.json'))['luci-app-meshwork'];
check('what may be read is what the daemon answers', methods.filter(m => m != 'reload').sort(), [...acl.read.ubus.meshwork].sort());

const sample = {
	status: {
		node: { version: '9.9', algo_name: 'BATMAN_IV', hard_address: '02:00:00:00:00:01' },
		status: {
			uptime_msecs: 93784000, neighbors: 1, originators: 2, local_clients: 3, global_clients: 40,
			config: { complaints: ['/etc/config/meshwork:3: hop_penalty: found 999'], reload: { error: 'not taken' } },
			interfaces: [{ hard_ifname: 'wmesh0', active: true }, { hard_ifname: 'eth9', reason: 'there is no such interface' }],
			alarms: [{ what: 'loop_detected' }]
		}
	},
	neighbors: { neighbors: [{ hard_ifname: 'wmesh0', neigh_address: '02:00:00:00:00:14', orig_address: '02:00:00:00:00:02', tq: 240, last_seen_msecs: 1204, meshwork: true }] },
	originators: { originators: [
		{ orig_address: '02:00:00:00:00:02', neigh_address: '02:00:00:00:00:14', hard_ifname: 'wmesh0', best: true, tq: 240, last_seen_msecs: 300, clients: 5 },
		{ orig_address: '02:00:00:00:00:02', neigh_address: '02:00:00:00:00:15', hard_ifname: 'wmesh0', tq: 17, last_seen_msecs: 300, clients: 5 },
		{ orig_address: '02:00:00:00:00:03', neigh_address: '02:00:00:00:00:14', hard_ifname: 'wmesh0', best: true, throughput: 54000, last_seen_msecs: 300, clients: 0 }
	], originators_total: 900 },
	gateways: { gateways: [{ orig_address: '02:00:00:00:00:03', best: true, bandwidth_down: 100, bandwidth_up: 20, router: '02:00:00:00:00:14' }] }
};
// Every key above is one that the daemon writes. (`NAME_total` is made by the ubus side.)
const control = fs.readdirSync(path.join(root, 'daemon/src/control')).map(f => read(root, 'daemon/src/control', f)).join('\n');
(function keys(value) {
	if (Array.isArray(value)) return value.forEach(keys);
	if (value && typeof value == 'object') for (const [name, inner] of Object.entries(value)) {
		if (!name.endsWith('_total')) check(`the daemon writes ${name}`, true, new RegExp(`\\b${name}\\b`).test(control));
		keys(inner);
	}
})(sample);

const base = {
	view: { extend: page => page },
	L: { resolveDefault: (p, d) => Promise.resolve(p).catch(() => d), url: p => '/cgi-bin/luci/' + p },
	cbi_update_table(t, rows, empty) {
		(rows.length ? rows : [[empty]]).forEach(r => t.children.push(E('tr', r.map(c => E('td', c)))));
	}
};
async function status(answers, location, listens, port) {
	let polled = null;
	const page = load('view/meshwork/status.js', Object.assign({}, base, {
		poll: { add(f) { polled = f; } },
		rpc: { declare(d) {
			check(`ubus has ${d.object} ${d.method}`, true, d.object == 'meshwork' && methods.includes(d.method));
			return () => answers[d.method] === undefined ? Promise.reject(new Error('no object')) : Promise.resolve(answers[d.method]);
		} },
		uci: { load: () => Promise.resolve(), get: () => port },
		window: { location, fetch: url => listens.includes(url) ? Promise.resolve({}) : Promise.reject(new TypeError()) }
	}));
	const rendered = page.render(await page.load());
	return { rendered, polled };
}

// ---- setup ---------------------------------------------------------------------------------------------------
const heard = { mesh_id: 'town', mode: 'mesh', channel: 36, signal_dbm: -55, protection: 'open', algo_names: ['BATMAN_IV'], phy: 'phy1',
	named: false, reasons: [] };
const decided = { community: null, action: 'choose', mesh_id: '', reasons: [], meshes: [heard], notes: ['quiet'] };
// The script answers a look around with `looked`, all else with `acted`.
function setup(looked, acted) {
	const log = { notes: [], ran: [], written: [] };
	const page = load('view/meshwork/setup.js', Object.assign({}, base, {
		fs: {
			exec(program, args) {
				log.ran.push([program, ...args].join(' '));
				return Promise.resolve(args[0] == 'status' ? looked : acted || { code: 0, stdout: 'done' });
			},
			write(file, data, mode) { log.written.push([file, data, mode]); return Promise.resolve(); }
		},
		ui: { createHandlerFn: (self, f) => f.bind(self), addNotification(t, e) { log.notes.push(text(e)); } }
	}));
	return { rendered: page.render(), log };
}
const look = async s => { await button(s.rendered, 'Look for meshes')[0].attrs.click(); return s; };
const said = value => ({ code: 0, stdout: JSON.stringify(value) });
const button = (n, label) => find(n, 'button').filter(b => text(b) == label);

(async function() {
	const lan = { protocol: 'http:', hostname: '192.168.1.1' };
	let { rendered, polled } = await status(sample, lan, []);
	const shown = text(rendered);
	for (const part of ['BATMAN IV', '02:00:00:00:00:01', '1 d 2 h', '3 / 40', '94 %', '1.2 s', '54.0 Mbit/s', '10 / 2 Mbit/s', '* 02:00:00:00:00:03',
		'hop_penalty: found 999', 'not taken', 'eth9: there is no such interface', 'loop detected', 'Of 900 ways the first 250'])
		check(`status shows ${part}`, true, shown.includes(part));
	check('only the way in use of each node', false, shown.includes('02:00:00:00:00:15'));
	check('no frame where the live page is not reached', 0, find(rendered, 'iframe').length);
	sample.status.status.neighbors = 77;
	await polled();
	check('it is kept up to date', true, text(rendered).includes('77'));
	({ rendered } = await status(sample, lan, ['http://192.168.1.1:4305/healthz']));
	check('the live page, where it is reached', 'http://192.168.1.1:4305/', find(rendered, 'iframe').map(f => f.attrs.src).join());
	check('with the tables below', true, text(rendered).includes('94 %'));
	({ rendered } = await status(sample, lan, ['http://192.168.1.1:8080/healthz'], '8080'));
	check('on the port that is configured', 'http://192.168.1.1:8080/', find(rendered, 'iframe').map(f => f.attrs.src).join());
	({ rendered } = await status(sample, { protocol: 'https:', hostname: 'h' }, ['http://h:4305/healthz']));
	check('never without https in a page with it', 0, find(rendered, 'iframe').length);
	({ rendered } = await status({}, lan, []));
	check('without a node it leads to joining', '/cgi-bin/luci/admin/network/meshwork', find(rendered, 'a').map(a => a.attrs.href).join());

	const far = Object.assign({}, heard, { mesh_id: 'other', reasons: [{ code: 'channel', text: 'another channel' }] });
	let s = await look(setup(said(Object.assign({}, decided, { meshes: [heard, far] }))));
	for (const part of ['town', '36', '-55 dBm, strong', 'BATMAN IV', 'another channel', 'quiet', 'Choose yours'])
		check(`setup shows ${part}`, true, text(s.rendered).includes(part));
	check('what cannot be joined has no button', 1, button(s.rendered, 'Join').length);
	await button(s.rendered, 'Join')[0].attrs.click();
	check('joining is the script, asked once', ['/usr/lib/meshwork/setup status', '/usr/lib/meshwork/setup join town'], s.log.ran);
	check('and what it said is shown', ['done'], s.log.notes);
	s = await look(setup(said(decided), { code: 1, stdout: '', stderr: 'no mesh yet' }));
	await button(s.rendered, 'Join')[0].attrs.click();
	check('also when it refused', ['no mesh yet'], s.log.notes);
	const sources = read(root, 'daemon/src/cli/scan.rs') + read(root, 'daemon/src/cli/setup.rs');
	for (const name of [...Object.keys(heard), ...Object.keys(decided), 'protected', 'code', 'text'])
		check(`the program writes ${name}`, true, sources.includes(`"${name}"`));
	for (const action of ['join', 'found', 'choose', 'wait']) {
		s = await look(setup(said(Object.assign({}, decided, { action, mesh_id: 'street', meshes: [] }))));
		check(`the decision to ${action}`, true, sources.includes(`"${action}"`) && /To do: (join|found) street|Choose yours|No mesh can be joined/.test(text(s.rendered)));
	}

	const secret = Object.assign({}, heard, { protection: 'sae' });
	s = await look(setup(said(Object.assign({}, decided, { meshes: [secret] }))));
	await button(s.rendered, 'Join')[0].attrs.click();
	check('a passphrase too short is refused', [['A passphrase has 8 to 63 characters.'], 1], [s.log.notes, s.log.ran.length]);
	find(find(s.rendered, 'table')[0], 'input')[0].value = 'long enough';
	await button(s.rendered, 'Join')[0].attrs.click();
	const key = '/var/run/meshwork-setup.key';
	check('a good one goes by a file that only root reads', [[key, 'long enough\n', 0o600]], s.log.written);
	check('which the script is told', `/usr/lib/meshwork/setup join town ${key}`, s.log.ran[1]);
	check('which it takes away', true, read(root, 'openwrt/files/usr/lib/meshwork/setup').includes(`PAGE_KEY:-${key}}`));
	check('both allowed by the rights', { '/usr/lib/meshwork/setup': ['exec'], [key]: ['write'] }, acl.write.file);

	const community = { name: 'street', mesh_id: 'street', protected: true };
	s = await look(setup(said({ community, action: 'found', mesh_id: 'street', reasons: [], meshes: [], notes: [] })));
	await button(s.rendered, 'Join')[0].attrs.click();
	check("the community's own mesh needs no passphrase", '/usr/lib/meshwork/setup join street', s.log.ran[1]);
	s = await look(setup({ code: 1, stdout: '', stderr: 'meshwork: no radio\n' }));
	check('what went wrong is said', true, text(s.rendered).includes('no radio'));

	s = setup(said(decided));
	await button(s.rendered, 'Found it')[0].attrs.click();
	check('a mesh without a name is not founded', [['The name of a mesh has 1 to 32 characters.'], 0], [s.log.notes, s.log.ran.length]);
	const [name, channel, phrase, port] = find(s.rendered, 'input');
	[name.value, channel.value] = ['street', '11'];
	await button(s.rendered, 'Found it')[0].attrs.click();
	check('one with a name is', '/usr/lib/meshwork/setup found street 11', s.log.ran[0]);
	phrase.value = 'short';
	await button(s.rendered, 'Found it')[0].attrs.click();
	check('not with a passphrase too short', 1, s.log.ran.length);

	s = setup(said(decided), { code: 0, stdout: 'eth1 would carry the mesh.\nDo this:' });
	find(s.rendered, 'input')[3].value = 'eth1';
	await button(s.rendered, 'What would that mean?')[0].attrs.click();
	check('a port is first told about', [['/usr/lib/meshwork/setup port eth1'], true], [s.log.ran, text(s.rendered).includes('would carry')]);
	await button(s.rendered, 'Yes, that is what I want')[0].attrs.click();
	check('and taken once confirmed', '/usr/lib/meshwork/setup port eth1 --confirm', s.log.ran[1]);

	// The package: every file is in it, every page of the menu exists.
	const listed = [...read(app, 'package.toml').matchAll(/from = "([^"]+)"/g)].map(m => m[1]).sort();
	const there = ['htdocs', 'root'].flatMap(dir => fs.readdirSync(path.join(app, dir), { recursive: true }).map(f => `${dir}/${f}`))
		.filter(f => fs.statSync(path.join(app, f)).isFile()).sort();
	check('all files are packed', there, listed);
	for (const entry of Object.values(JSON.parse(read(app, 'root/usr/share/luci/menu.d/luci-app-meshwork.json'))))
		check(`the menu's ${entry.action.path}`, true, fs.existsSync(path.join(app, `htdocs/luci-static/resources/view/${entry.action.path}.js`)));
	console.log(`${passed} passed, ${failed} failed`);
	process.exitCode = failed ? 1 : 0;
})();
