"use strict";
// What tables cannot show: the map, what happens, and one node or link at a time. Words come with the page.
(() => {
  const body = document.body;
  const words = JSON.parse(document.getElementById("words").textContent);
  const say = (key) => words[key] ?? key;
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

  // The force lays out as it likes; what it gives is fitted to the room there is.
  const RIM = 34;
  let W = 800, H = 460;
  const map = byId("map");
  const svg = drawn("svg", { role: "group", "aria-label": say("map") });
  const lines = drawn("g"), dots = drawn("g");
  svg.append(lines, dots);
  byId("drawing").append(svg);
  map.hidden = false;

  let nodes = new Map(), links = [], chosen = null;
  const force = forces.forceSimulation([]).stop()
    .force("apart", forces.forceManyBody().strength(-420))
    .force("x", forces.forceX(0).strength(0.05))
    .force("y", forces.forceY(0).strength(0.08))
    .force("room", forces.forceCollide(26));

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
    const us = graph.router_id;
    const next = [];
    for (const l of graph.links) {
      if (known.has(l.source) && known.has(l.target)) {
        next.push({ key: `${l.source} ${l.target}`, source: l.source, target: l.target, p: l.properties, text: l.cost_text, link: true });
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
      force.nodes([...nodes.values()]);
      force.force("pull", forces.forceLink(links).distance((l) => l.link ? 110 : 150).strength((l) => l.link ? 0.5 : 0.25));
      force.alpha(take.seen ? 0.5 : 1);
      for (let i = take.seen ? 120 : 300; i > 0; i--) force.tick();
      take.seen = true;
    }
    fit();
    draw(us);
  }

  // Where every node is drawn: as large as the room allows, and not larger than is good to look at.
  function fit() {
    W = Math.max(280, byId("drawing").clientWidth);
    H = Math.max(280, Math.min(520, W * 0.6));
    svg.setAttribute("viewBox", `0 0 ${W} ${H}`);
    const all = [...nodes.values()];
    const [left, right] = [Math.min(...all.map((n) => n.x)), Math.max(...all.map((n) => n.x))];
    const [top, bottom] = [Math.min(...all.map((n) => n.y)), Math.max(...all.map((n) => n.y))];
    const scale = Math.min(1.6, (W - 2 * RIM) / Math.max(1, right - left), (H - 2 * RIM - 14) / Math.max(1, bottom - top));
    for (const n of all) {
      n.at = [W / 2 + (n.x - (left + right) / 2) * scale, H / 2 - 7 + (n.y - (top + bottom) / 2) * scale];
    }
  }

  function draw(us) {
    const focus = document.activeElement?.dataset?.id;
    lines.replaceChildren();
    dots.replaceChildren();
    for (const l of links) {
      const [to, from] = directions(l.p);
      const [[x1, y1], [x2, y2]] = [l.source.at, l.target.at];
      const mx = (x1 + x2) / 2, my = (y1 + y2) / 2;
      const name = `${l.source.label} – ${l.target.label}`;
      const g = drawn("g", { class: !l.link ? "link way" : l.p.told_msecs > 100000 ? "link old" : "link", tabindex: 0, role: "button", "data-id": l.key, "aria-label": name });
      g.append(drawn("line", { class: "reach", x1, y1, x2, y2 }));
      g.append(drawn("line", { class: l.link ? grade(to) : "unknown", x1, y1, x2: mx, y2: my }));
      g.append(drawn("line", { class: l.link ? grade(from) : "unknown", x1: mx, y1: my, x2, y2 }));
      choosable(g, () => show({ link: l.key }));
      lines.append(g);
    }
    for (const n of nodes.values()) {
      const kinds = ["node", n.id === us ? "us" : n.p.meshwork ? "ours" : "foreign"];
      if (n.p.gateway) kinds.push("gateway");
      if (n.id !== us && (n.p.reachable === false || n.p.last_seen_msecs > 30000)) kinds.push("gone");
      if (chosen?.node === n.id) kinds.push("chosen");
      const g = drawn("g", { class: kinds.join(" "), transform: `translate(${n.at.map((c) => c.toFixed(1)).join(" ")})`, tabindex: 0, role: "button", "data-id": n.id, "aria-label": n.label });
      g.append(n.p.meshwork ? drawn("circle", { r: n.id === us ? 13 : 10 }) : drawn("rect", { x: -9, y: -9, width: 18, height: 18, rx: 2 }));
      const text = drawn("text", { y: 26, "text-anchor": "middle" });
      text.textContent = n.label === n.id ? n.id.slice(9) : n.label;
      g.append(text);
      choosable(g, () => show({ node: n.id }));
      dots.append(g);
    }
    if (focus) svg.querySelector(`[data-id="${CSS.escape(focus)}"]`)?.focus();
    detail();
  }

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
    if (what.node) explain(what.node);
    else explain(what.link.replace("way ", "").split(" ").pop());
  }

  async function explain(dest) {
    try {
      const answer = await fetch(`/api/v1/explain?dest=${encodeURIComponent(dest)}`);
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
      else {
        row("via", n.p.next_hop === n.id ? say("direct") : n.p.next_hop ? label(n.p.next_hop) : say("no_way"));
        row("metric", metric(n.p));
        row("seen", `${Math.round(n.p.last_seen_msecs / 1000)} s`);
      }
      row("clients", n.p.clients ?? 0);
      if (n.p.gateway) row("gateways", say("yes"));
    } else {
      const l = links.find((l) => l.key === chosen.link);
      if (!l) { box.replaceChildren(make("p", {}, say("link_gone"))); return; }
      title = `${l.source.label} – ${l.target.label}`;
      if (l.p.told_msecs !== undefined) row("told", `${Math.round(l.p.told_msecs / 1000)} s`);
      row("quality", l.link ? l.text || metric(l.p) : say("way_only"));
      const [to, from] = directions(l.p);
      if (l.p.echo_count !== undefined) { row("hears", percent(to)); row("heard", percent(from)); }
    }
    const why = detail.explained;
    const weak = !why ? [] : why.weak.length ? why.weak : [say("nothing_weak")];
    box.replaceChildren(make("h3", {}, title), make("dl", {}, ...rows), ...weak.map((w) => make("p", { class: "why" }, w)));
  }

  function happened(event) {
    const e = JSON.parse(event.data);
    const who = [e.orig_address, e.neigh_address].filter(Boolean).map((id) => nodes.get(id)?.label ?? id);
    const time = new Date(e.at_msecs).toLocaleTimeString(document.documentElement.lang);
    const text = `${words["event_" + e.what] ?? e.what.replaceAll("_", " ")} ${[...new Set(who)].join(" · ")}`;
    const list = byId("events");
    list.prepend(make("li", {}, make("time", {}, time), " ", text));
    while (list.children.length > 30) list.lastChild.remove();
    byId("happened").hidden = false;
    refresh();
  }

  let busy = false;
  async function refresh() {
    if (busy || document.hidden) return;
    busy = true;
    try {
      const [tables, graph] = await Promise.all([fetch(body.dataset.tables), fetch("/api/v1/topology")]);
      if (tables.ok) byId("tables").innerHTML = await tables.text();
      if (graph.ok) take(await graph.json());
    } catch {
      // The stream of events tells when the node is gone.
    } finally {
      busy = false;
    }
  }

  const events = new EventSource("/api/v1/events");
  events.addEventListener("open", () => { byId("live").hidden = false; byId("lost").hidden = true; refresh(); });
  events.addEventListener("error", () => { byId("live").hidden = true; byId("lost").hidden = false; });
  events.addEventListener("state", refresh);
  for (const key of Object.keys(words)) {
    if (key.startsWith("event_")) events.addEventListener(key.slice(6), happened);
  }
  document.addEventListener("visibilitychange", refresh);
  addEventListener("resize", refresh);
})();
