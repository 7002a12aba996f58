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

  function draw(report) {
    const focus = document.activeElement?.dataset?.id;
    const lines = report.links.map((l) => {
      const [[x1, y1], [x2, y2]] = [places.get(l.source).at, places.get(l.target).at];
      const mx = (x1 + x2) / 2, my = (y1 + y2) / 2;
      const name = `${l.cut ? "heal" : "cut"} ${l.source} – ${l.target}`;
      const g = drawn("g", { class: l.cut ? "link cut" : "link", tabindex: 0, role: "button", "aria-label": name, "data-id": `${l.source} ${l.target}` },
        drawn("line", { class: "reach", x1, y1, x2, y2 }),
        drawn("line", { class: grade(quality(l, 0)), x1, y1, x2: mx, y2: my }),
        drawn("line", { class: grade(quality(l, 1)), x1: mx, y1: my, x2, y2 }));
      g.addEventListener("click", () => turn(l));
      g.addEventListener("keydown", (e) => { if (e.key === "Enter" || e.key === " ") { e.preventDefault(); turn(l); } });
      return g;
    });
    const dots = report.nodes.map((n) => {
      const label = drawn("text", { y: 26, "text-anchor": "middle" });
      label.textContent = n.name;
      const link = drawn("a", { href: page(n.name), "aria-label": `page of ${n.name}`, "data-id": n.name }, drawn("circle", { r: 11 }), label);
      return drawn("g", { class: n.running ? "node ours" : "node off", transform: `translate(${places.get(n.name).at.map((c) => c.toFixed(1)).join(" ")})` }, link);
    });
    svg.replaceChildren(drawn("g", {}, ...lines), drawn("g", {}, ...dots));
    byId("links").replaceChildren(...report.links.map((l) => {
      const button = make("button", { type: "button", "data-id": `row ${l.source} ${l.target}` }, l.cut ? "Heal" : "Cut");
      button.addEventListener("click", () => turn(l));
      return make("tr", {}, make("td", {}, `${l.source} – ${l.target}`), make("td", {}, button), make("td", {}, l.cut ? "cut" : "in use"),
        make("td", { class: "num" }, text(l, 0)), make("td", { class: "num" }, text(l, 1)));
    }));
    byId("nodes").replaceChildren(...report.nodes.map((n) => make("tr", {},
      make("td", {}, make("a", { href: page(n.name), "data-id": `row ${n.name}` }, n.name), n.running ? "" : " (off)"),
      make("td", {}, n.client ? `${n.client.name} ${n.client.address}` : "–"),
      make("td", { class: "num" }, `${n.routes.length} of ${report.nodes.length - 1}`),
      make("td", { class: "num" }, n.rss_bytes ? `${(n.rss_bytes / 1048576).toFixed(1)} MiB` : "–"))));
    const answered = report.pairs.filter((p) => p.reachable).length;
    byId("state").textContent = `${Math.round(report.elapsed_seconds)} s · ${report.nodes.filter((n) => n.running).length} nodes · ${answered} of ${report.pairs.length} pairs of clients reach each other`;
    byId("events").replaceChildren(...report.notes.filter((n) => !n.includes("?token=")).slice(-30).reverse().map((n) => make("li", {}, n)));
    if (focus) document.querySelector(`[data-id="${CSS.escape(focus)}"]`)?.focus();
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
