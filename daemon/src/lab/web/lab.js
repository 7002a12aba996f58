"use strict";
// The lab as a map and two tables, asked for every second.
(() => {
  const byId = (id) => document.getElementById(id);
  const make = (name, attributes = {}, ...children) => {
    const e = document.createElement(name);
    for (const [k, v] of Object.entries(attributes)) e.setAttribute(k, v);
    e.append(...children);
    return e;
  };
  const drawn = (name, attributes = {}, ...children) => {
    const e = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [k, v] of Object.entries(attributes)) e.setAttribute(k, v);
    e.append(...children);
    return e;
  };
  const svg = drawn("svg", { role: "group", "aria-label": "Map of the neighbourhood" });
  byId("drawing").append(svg);
  const places = new Map();
  let shape = "", busy = false;

  // Where nodes are drawn is found once for every shape of the neighbourhood; cut links count, so that nothing jumps.
  function lay(report) {
    const now = JSON.stringify([report.nodes.map((n) => n.name), report.links.map((l) => [l.source, l.target])]);
    if (now === shape) return;
    shape = now;
    const seen = places.size > 0;
    const nodes = report.nodes.map((n, i) => places.get(n.name) ?? { name: n.name, x: 60 * Math.cos(i * 2.4), y: 60 * Math.sin(i * 2.4) });
    places.clear();
    for (const n of nodes) places.set(n.name, n);
    const links = report.links.map((l) => ({ source: places.get(l.source), target: places.get(l.target) }));
    (seen ? layout.again : layout.first)(nodes, links);
  }

  const quality = (l, i) => l.tq[i] != null ? l.tq[i] / 255
    : l.throughput[i] ? Math.max(0, Math.min(1, 1 + Math.log10(l.throughput[i] / 300000) / 3)) : null;
  const grade = (q) => q === null ? "unknown" : q >= 0.7 ? "good" : q >= 0.35 ? "fair" : "poor";
  const text = (l, i) => l.tq[i] != null ? `${Math.round(l.tq[i] / 2.55)} %` : l.throughput[i] ? `${Math.round(l.throughput[i] / 1000)} Mbit/s` : "–";
  const page = (name) => `node/${encodeURIComponent(name)}/`;

  async function turn(l) {
    const answer = await fetch("lab", {
      method: "POST", headers: { "X-Meshwork-Lab": "1" },
      body: JSON.stringify({ command: l.cut ? "heal" : "cut", a: l.source, b: l.target }),
    });
    byId("said").textContent = answer.ok ? `${l.cut ? "Healed" : "Cut"}: ${l.source} – ${l.target}` : await answer.text();
    look();
  }

  const lines = drawn("g"), dots = drawn("g");
  svg.append(lines, dots);
  const [keepLines, keepDots, keepLinks, keepNodes] = [lines, dots, byId("links"), byId("nodes")].map(layout.keeper);
  const set = (e, attributes) => { for (const [k, v] of Object.entries(attributes)) e.setAttribute(k, v); };
  const cells = (row, ...texts) => texts.forEach((text, i) => { if (text !== null) row.children[i].textContent = text; });
  const now = new Map();

  function draw(report) {
    for (const l of report.links) now.set(`${l.source} ${l.target}`, l);
    keepLines((part) => report.links.forEach((l) => {
      const id = `${l.source} ${l.target}`;
      const [[x1, y1], [x2, y2]] = [places.get(l.source).at, places.get(l.target).at];
      const mx = (x1 + x2) / 2, my = (y1 + y2) / 2;
      const g = part(id, () => {
        const g = drawn("g", { tabindex: 0, role: "button" }, drawn("line"), drawn("line"), drawn("line"));
        g.addEventListener("click", () => turn(now.get(id)));
        g.addEventListener("keydown", (e) => { if (e.key === "Enter" || e.key === " ") { e.preventDefault(); turn(now.get(id)); } });
        return g;
      });
      set(g, { class: l.cut ? "link cut" : "link", "aria-label": `${l.cut ? "heal" : "cut"} ${l.source} – ${l.target}` });
      set(g.children[0], { class: "reach", x1, y1, x2, y2 });
      set(g.children[1], { class: grade(quality(l, 0)), x1, y1, x2: mx, y2: my });
      set(g.children[2], { class: grade(quality(l, 1)), x1: mx, y1: my, x2, y2 });
    }));
    keepDots((part) => report.nodes.forEach((n) => {
      const g = part(n.name, () => {
        const label = drawn("text", { y: 26, "text-anchor": "middle" });
        label.textContent = n.name;
        return drawn("g", {}, drawn("a", { href: page(n.name), "aria-label": `page of ${n.name}` }, drawn("ellipse", { cy: 7, rx: 22, ry: 24 }), drawn("circle", { r: 11 }), label));
      });
      set(g, { class: n.running ? "node ours" : "node off", transform: `translate(${places.get(n.name).at.map((c) => c.toFixed(1)).join(" ")})` });
    }));
    keepLinks((part) => report.links.forEach((l) => {
      const id = `${l.source} ${l.target}`;
      const row = part(id, () => {
        const button = make("button", { type: "button" });
        button.addEventListener("click", () => turn(now.get(id)));
        return make("tr", {}, make("td", {}, `${l.source} – ${l.target}`), make("td", {}, button), make("td"), make("td", { class: "num" }), make("td", { class: "num" }));
      });
      row.querySelector("button").textContent = l.cut ? "Heal" : "Cut";
      cells(row, null, null, l.cut ? "cut" : "in use", text(l, 0), text(l, 1));
    }));
    keepNodes((part) => report.nodes.forEach((n) => {
      const row = part(n.name, () => make("tr", {}, make("td", {}, make("a", { href: page(n.name) }, n.name)), make("td"), make("td", { class: "num" }), make("td", { class: "num" })));
      cells(row, null, n.running ? n.client ? `${n.client.name} ${n.client.address}` : "–" : "off",
        `${n.routes.length} of ${report.nodes.length - 1}`, n.rss_bytes ? `${(n.rss_bytes / 1048576).toFixed(1)} MiB` : "–");
    }));
    const answered = report.pairs.filter((p) => p.reachable).length;
    byId("state").textContent = `${Math.round(report.elapsed_seconds)} s · ${report.nodes.filter((n) => n.running).length} nodes · ${answered} of ${report.pairs.length} pairs of clients reach each other`;
    byId("events").replaceChildren(...report.notes.filter((n) => !n.includes("?token=")).slice(-30).reverse().map((n) => make("li", {}, n)));
  }

  async function look() {
    if (busy || document.hidden) return;
    busy = true;
    try {
      const answer = await fetch("lab.json");
      const report = answer.ok ? await answer.json() : null;
      byId("lost").hidden = report !== null;
      if (report) {
        lay(report);
        layout.fit([...places.values()], svg);
        draw(report);
      }
    } catch {
      byId("lost").hidden = false;
    } finally {
      busy = false;
    }
  }
  setInterval(look, 1000);
  addEventListener("resize", look);
  look();
})();
