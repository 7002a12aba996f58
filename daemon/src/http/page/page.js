"use strict";
// What tables cannot show: the map, what happens, and one node or link at a time. Words come with the page.
(() => {
  const body = document.body;
  const words = JSON.parse(document.getElementById("words").textContent);
  const say = (key) => words[key] ?? key;
  // A token comes behind the # of the address, which is sent to nobody, and stays with this tab.
  const given = new URLSearchParams(location.hash.slice(1)).get("token");
  if (given) {
    sessionStorage.setItem("token", given);
    history.replaceState(null, "", location.pathname + location.search);
  }
  const token = given ?? sessionStorage.getItem("token");
  const get = (path) => fetch(path, token ? { headers: { Authorization: `Bearer ${token}` } } : {});
  const byId = (id) => document.getElementById(id);
  const make = (name, attributes = {}, ...children) => {
    const e = document.createElement(name);
    for (const [k, v] of Object.entries(attributes)) e.setAttribute(k, v);
    e.append(...children);
    return e;
  };
  const drawn = (name, attributes = {}) => {
    const e = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [k, v] of Object.entries(attributes)) e.setAttribute(k, v);
    return e;
  };

  const map = byId("map");
  const svg = drawn("svg", { role: "group", "aria-label": say("map") });
  const lines = drawn("g"), dots = drawn("g");
  svg.append(lines, dots);
  byId("drawing").append(svg);
  map.hidden = false;

  let nodes = new Map(), links = [], chosen = null, us = null, path = [];
  const showPast = past(byId("past"), say, get);
  account(byId("share"), say, get, document.documentElement.lang);
  // How good something is, 0 to 1. A throughput of 300 Mbit/s is as good as it gets, each tenth of it a third worse.
  const byRate = (kbits) => Math.max(0, Math.min(1, 1 + Math.log10(kbits / 300000) / 3));
  const grade = (q) => q === null ? "unknown" : q >= 0.7 ? "good" : q >= 0.35 ? "fair" : "poor";
  const percent = (q) => `${Math.round(q * 100)} %`;
  const rate = (kbits) => `${(kbits / 1000).toLocaleString(document.documentElement.lang)} Mbit/s`;

  function quality(p) {
    if (p.tq !== undefined && p.tq !== null) return p.tq / 255;
    if (p.throughput_kbits) return byRate(p.throughput_kbits);
    return null;
  }

  // The two directions of a link: to the target and from it.
  function directions(p) {
    const all = quality(p);
    if (p.echo_count === undefined || !p.receive_count) return [all, all];
    return [Math.min(1, p.echo_count / p.receive_count), p.receive_count / 64];
  }

  function take(graph) {
    const known = new Map();
    for (const n of graph.nodes) {
      const old = nodes.get(n.id);
      const node = Object.assign(old ?? {}, { id: n.id, label: n.label ?? n.id, p: n.properties ?? {} });
      known.set(n.id, node);
    }
    us = graph.router_id;
    remember(graph, known);
    const next = [];
    for (const l of graph.links) {
      if (known.has(l.source) && known.has(l.target)) {
        next.push({ key: `${l.source} ${l.target}`, source: l.source, target: l.target, p: l.properties, text: l.cost_text, link: true, old: l.old });
      }
    }
    const linked = new Set(next.flatMap((l) => [l.source, l.target]));
    for (const node of known.values()) {
      // Where no link is known, the way there is all there is to draw.
      const via = node.p.next_hop;
      if (node.id !== us && !linked.has(node.id) && known.has(via)) {
        next.push({ key: `way ${node.id}`, source: via, target: node.id, p: node.p, link: false });
      }
    }
    const shape = [...known.keys(), ...next.map((l) => l.key)].join();
    const changed = shape !== take.shape;
    take.shape = shape;
    // A new node begins beside the one it is reached through.
    for (const node of known.values()) {
      if (node.x !== undefined) continue;
      const near = known.get(node.p.next_hop);
      const turn = known.size * 2.4 + node.id.length + [...node.id].reduce((s, c) => s + c.charCodeAt(0), 0);
      node.x = (near?.x ?? 0) + 60 * Math.cos(turn);
      node.y = (near?.y ?? 0) + 60 * Math.sin(turn);
    }
    nodes = known;
    links = next.map((l) => ({ ...l, source: known.get(l.source), target: known.get(l.target) }));
    if (changed) {
      (take.seen ? layout.again : layout.first)([...nodes.values()], links);
      take.seen = true;
    }
    layout.fit([...nodes.values()], svg);
    draw();
    if (chosen === null) showPast("", say("this_node"));
  }

  // Nodes and links that are gone stay for a day, marked as old: a mesh that was cut in two is still one on the map.
  const DAY = 86400000;
  function remember(graph, known) {
    const place = `mesh ${graph.router_id}`, now = Date.now();
    const before = remember.all ??= JSON.parse(localStorage.getItem(place) ?? "null") ?? { nodes: {}, links: {} };
    for (const [id, n] of known) before.nodes[id] = { label: n.label, meshwork: n.p.meshwork, at: now };
    for (const l of graph.links) before.links[[l.source, l.target].sort().join(" ")] = { l, at: now };
    for (const [id, n] of Object.entries(before.nodes)) {
      if (now - n.at > DAY) delete before.nodes[id];
      else if (!known.has(id)) {
        known.set(id, Object.assign(nodes.get(id) ?? {}, { id, label: n.label, p: { meshwork: n.meshwork, reachable: false, old: true, last_seen_msecs: now - n.at } }));
      }
    }
    const here = new Set(graph.links.map((l) => [l.source, l.target].sort().join(" ")));
    for (const [key, { l, at }] of Object.entries(before.links)) {
      const ends = key.split(" ").map((id) => known.get(id));
      if (now - at > DAY || ends.some((n) => !n)) delete before.links[key];
      // A link of which both ends are still there was cut, and is not shown.
      else if (!here.has(key) && ends.every(isGone)) graph.links.push({ ...l, old: true });
    }
    try {
      localStorage.setItem(place, JSON.stringify(before));
    } catch {
      // Without room it is kept until the page is closed.
    }
  }

  const keepLines = layout.keeper(lines), keepDots = layout.keeper(dots);
  const set = (e, attributes) => { for (const [k, v] of Object.entries(attributes)) e.setAttribute(k, v); };
  function draw() {
    keepLines((part) => links.forEach((l) => {
      const [to, from] = directions(l.p);
      const [[x1, y1], [x2, y2]] = [l.source.at, l.target.at];
      const mx = (x1 + x2) / 2, my = (y1 + y2) / 2;
      const g = part(l.key, () => {
        const g = drawn("g", { tabindex: 0, role: "button" });
        g.append(drawn("line"), drawn("line"), drawn("line"));
        choosable(g, () => show({ link: l.key }));
        return g;
      });
      set(g, { class: ["link", l.link ? "" : "way", isOld(l) ? "old" : "", onPath(l) ? "path" : ""].join(" "), "aria-label": `${l.source.label} – ${l.target.label}` });
      set(g.children[0], { class: "reach", x1, y1, x2, y2 });
      set(g.children[1], { class: l.link ? grade(to) : "unknown", x1, y1, x2: mx, y2: my });
      set(g.children[2], { class: l.link ? grade(from) : "unknown", x1: mx, y1: my, x2, y2 });
    }));
    keepDots((part) => nodes.forEach((n) => {
      const kinds = ["node", n.id === us ? "us" : n.p.meshwork ? "ours" : "foreign"];
      if (n.p.gateway) kinds.push("gateway");
      if (isGone(n)) kinds.push("gone");
      if (chosen?.node === n.id) kinds.push("chosen");
      const g = part(n.id, () => {
        const g = drawn("g", { tabindex: 0, role: "button" });
        g.append(drawn("ellipse", { cy: 7, rx: 22, ry: 24 }), drawn("g"), drawn("text", { y: 26, "text-anchor": "middle" }));
        choosable(g, () => show({ node: n.id }));
        return g;
      });
      set(g, { class: kinds.join(" "), transform: `translate(${n.at.map((c) => c.toFixed(1)).join(" ")})`, "aria-label": n.label });
      const shape = n.p.meshwork ? "circle" : "rect";
      if (g.children[1].tagName !== shape) g.children[1].replaceWith(drawn(shape));
      set(g.children[1], n.p.meshwork ? { r: n.id === us ? 13 : 10 } : { x: -9, y: -9, width: 18, height: 18, rx: 2 });
      g.lastChild.textContent = n.label === n.id ? n.id.slice(9) : n.label;
    }));
    detail();
  }

  // Told long ago, two of its reports a minute being missed, or between nodes that are not in reach.
  const isOld = (l) => l.old || l.p.told_msecs > 150000 || isGone(l.source) && isGone(l.target);
  // Not in reach, or not heard of for longer than a few losses explain.
  function isGone(n) {
    return n.id !== us && (n.p.reachable === false || n.p.last_seen_msecs > 30000);
  }
  // The way that the last echo took.
  const onPath = (l) => path.some((id, i) => i > 0 && [[id, path[i - 1]], [path[i - 1], id]].some(([a, b]) => a === l.source.id && b === l.target.id));

  function choosable(element, action) {
    element.addEventListener("click", action);
    element.addEventListener("keydown", (e) => {
      if (e.key === "Enter" || e.key === " ") { e.preventDefault(); action(); }
    });
  }

  function show(what) {
    chosen = what;
    detail.explained = null;
    for (const g of dots.children) g.classList.toggle("chosen", g.dataset.id === what.node);
    detail();
    detail.clients = null;
    const dest = aim();
    explain(dest);
    path = [];
    ping.last = null;
    ping(dest === us ? null : dest);
    if (what.node) {
      whoIsAt(what.node);
      showPast(what.node === us ? "" : what.node, nodes.get(what.node)?.label ?? what.node);
    } else {
      const l = links.find((l) => l.key === what.link);
      const other = l && [l.source, l.target].find((n) => n.id !== us);
      const own = l && [l.source, l.target].some((n) => n.id === us);
      showPast(own ? other.id : null, l ? `${l.source.label} – ${l.target.label}` : "");
    }
  }

  // Clients of a node, for those who may see them.
  async function whoIsAt(id) {
    const answer = await get("api/v1/clients");
    if (!answer.ok) return;
    const all = await answer.json();
    const there = id === us ? all.local_clients : all.global_clients?.filter((c) => c.orig_address === id);
    const single = (address) => !(parseInt(address.slice(0, 2), 16) & 1);
    if (chosen?.node === id) detail.clients = there && [...new Set(there.map((c) => c.tt_address).filter(single))];
    detail();
  }

  // The node that the way is asked for: the chosen one, or the far end of the chosen link.
  function aim() {
    if (!chosen) return null;
    return chosen.node ?? chosen.link.replace("way ", "").split(" ").pop();
  }

  // Asks the chosen node for an echo now and then, and writes down the way that it took.
  async function ping(dest) {
    clearTimeout(ping.next);
    if (!dest) return;
    try {
      const rests = document.hidden || !nodes.has(dest) || nodes.get(dest).p.old;
      const answer = rests ? null : await get(`api/v1/ping?dest=${encodeURIComponent(dest)}`);
      if (aim() !== dest) return;
      if (answer?.ok) {
        ping.last = (await answer.json()).echo ?? {};
        const there = ping.last.route ?? [];
        const turn = there.indexOf(dest);
        // The way there, then the way back; this node is at both ends.
        path = turn < 0 ? there : there.slice(0, turn + 1);
        if (path.length && path[0] !== us) path.unshift(us);
        draw();
      }
    } catch {
      // The stream of events tells when the node is gone.
    }
    ping.next = setTimeout(() => ping(dest), 2000);
  }

  async function explain(dest) {
    if (nodes.get(dest)?.p.old) return;
    try {
      const answer = await get(`api/v1/explain?dest=${encodeURIComponent(dest)}`);
      detail.explained = answer.ok ? await answer.json() : null;
    } catch {
      detail.explained = null;
    }
    detail();
  }

  // The chosen node or link in words.
  function detail() {
    const box = byId("detail");
    if (!chosen) return;
    const rows = [];
    const row = (key, text) => rows.push(make("dt", {}, say(key)), make("dd", {}, String(text)));
    let title;
    const label = (id) => nodes.get(id)?.label ?? id;
    const metric = (p) => p.tq ? `${percent(p.tq / 255)} (TQ ${p.tq})` : p.throughput_kbits ? rate(p.throughput_kbits) : say("unknown");
    if (chosen.node) {
      const n = nodes.get(chosen.node);
      if (!n) { box.replaceChildren(); chosen = null; return; }
      title = n.label;
      if (n.label !== n.id) row("address", n.id);
      row("kind", n.p.meshwork ? "Meshwork" : say("other"));
      if (n.p.this_node) row("node", say("this_node"));
      else if (n.p.old) row("seen_old", span(n.p.last_seen_msecs));
      else {
        row("via", n.p.next_hop === n.id ? say("direct") : n.p.next_hop ? label(n.p.next_hop) : say("no_way"));
        row("metric", metric(n.p));
        row("seen", span(n.p.last_seen_msecs));
      }
      row("clients", detail.clients?.length ? `${n.p.clients ?? detail.clients.length}: ${detail.clients.join(" ")}` : n.p.clients ?? 0);
      if (n.p.gateway) row("gateways", say("yes"));
    } else {
      const l = links.find((l) => l.key === chosen.link);
      if (!l) { box.replaceChildren(make("p", {}, say("link_gone"))); return; }
      title = `${l.source.label} – ${l.target.label}`;
      if (l.p.told_msecs !== undefined) row("told", span(l.p.told_msecs));
      row("quality", l.link ? l.text || metric(l.p) : say("way_only"));
      const [to, from] = directions(l.p);
      if (l.p.echo_count !== undefined) { row("hears", percent(to)); row("heard", percent(from)); }
    }
    const why = detail.explained;
    const ways = (why?.ways ?? []).slice(0, 4).map((w) => `${label(near(w.neigh_address))} ${metric({ tq: w.tq, throughput_kbits: w.throughput })}`);
    if (ways.length > 1) row("ways", ways.join(", "));
    if (ping.last) {
      const e = ping.last;
      row("echo", e.rtt_usecs ? `${(e.rtt_usecs / 1000).toLocaleString(document.documentElement.lang, { maximumFractionDigits: 1 })} ms` : say("no_answer"));
      if (e.rtt_usecs && path.length) row("path", path.map(label).join(" → "));
    }
    const about = nodes.get(aim());
    const weak = about && isGone(about) ? [say("gone_why")] : !why ? [] : why.weak.length ? why.weak
      : ping.last && !ping.last.rtt_usecs ? [say("silent_why")] : about?.id === us ? [] : [say("nothing_weak")];
    box.replaceChildren(make("h3", {}, title), make("dl", {}, ...rows), ...weak.map((w) => make("p", { class: "why" }, w)));
  }

  const span = (ms) => ms < 120000 ? `${Math.round(ms / 1000)} s` : ms < 7200000 ? `${Math.round(ms / 60000)} min` : `${Math.round(ms / 3600000)} h`;
  // The node behind an address of one of its hard interfaces, where a link says it.
  const near = (address) => {
    const l = links.find((l) => l.p.target_addr === address || l.p.source_addr === address);
    return !l ? address : l.p.target_addr === address ? l.target.id : l.source.id;
  };

  function happened(event) {
    const e = JSON.parse(event.data);
    const who = [e.orig_address, e.neigh_address].filter(Boolean).map((id) => nodes.get(id)?.label ?? id);
    const time = new Date(e.at_msecs).toLocaleTimeString(document.documentElement.lang);
    // Facts of the moment are soon on the map; who is chosen may have another way now.
    if (chosen) explain(aim());
    const text = `${words["event_" + e.what] ?? e.what.replaceAll("_", " ")} ${[...new Set(who)].join(" · ")}`;
    const list = byId("events");
    list.prepend(make("li", {}, make("time", {}, time), " ", text));
    while (list.children.length > 30) list.lastChild.remove();
    byId("happened").hidden = false;
    refresh();
  }

  // New tables, scrolled and focused as the old ones were.
  function renew(html) {
    const wide = () => [...byId("tables").querySelectorAll(".wide")];
    const before = wide(), focus = before.indexOf(document.activeElement), lefts = before.map((e) => e.scrollLeft);
    byId("tables").innerHTML = html;
    wide().forEach((e, i) => {
      e.scrollLeft = lefts[i] ?? 0;
      if (i === focus) e.focus({ preventScroll: true });
    });
  }

  let busy = false;
  async function refresh() {
    if (busy || document.hidden) return;
    busy = true;
    try {
      const [tables, graph] = await Promise.all([get(body.dataset.tables), get("api/v1/topology")]);
      if (tables.ok) renew(await tables.text());
      if (graph.ok) take(await graph.json());
    } catch {
      // The stream of events tells when the node is gone.
    } finally {
      busy = false;
    }
  }

  const events = new EventSource("api/v1/events");
  events.addEventListener("open", () => { byId("live").hidden = false; byId("lost").hidden = true; refresh(); });
  events.addEventListener("error", () => { byId("live").hidden = true; byId("lost").hidden = false; });
  events.addEventListener("state", refresh);
  for (const key of Object.keys(words)) {
    if (key.startsWith("event_")) events.addEventListener(key.slice(6), happened);
  }
  document.addEventListener("visibilitychange", refresh);
  addEventListener("resize", refresh);
})();
