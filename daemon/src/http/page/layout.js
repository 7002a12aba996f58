"use strict";
// Where nodes are drawn: forces find it, and what they find is fitted to the room there is.
const layout = (() => {
  const RIM = 34;
  const side = (a, b, c) => Math.sign((b.x - a.x) * (c.y - a.y) - (b.y - a.y) * (c.x - a.x));
  const cross = (k, l) => k.source !== l.source && k.source !== l.target && k.target !== l.source && k.target !== l.target &&
    side(k.source, k.target, l.source) !== side(k.source, k.target, l.target) &&
    side(l.source, l.target, k.source) !== side(l.source, l.target, k.target);

  function settle(nodes, links, alpha, ticks) {
    const force = forces.forceSimulation(nodes).stop()
      .force("apart", forces.forceManyBody().strength(-420))
      .force("x", forces.forceX(0).strength(0.05))
      .force("y", forces.forceY(0).strength(0.08))
      .force("room", forces.forceCollide(26))
      .force("pull", forces.forceLink(links).distance((l) => l.link === false ? 150 : 110).strength((l) => l.link === false ? 0.25 : 0.5));
    force.alpha(alpha);
    for (let i = 0; i < ticks; i++) force.tick();
  }

  return {
    // Elements that stay while what they show is there, so that a press on one is never lost: `draw` is handed
    // `part(id, create)` and makes of what it gets what holds now; what it did not ask for goes.
    keeper(parent) {
      const kept = new Map();
      return (draw) => {
        const now = new Set();
        draw((id, create) => {
          now.add(id);
          if (!kept.has(id)) {
            const e = create();
            e.dataset.id = id;
            kept.set(id, e);
            parent.append(e);
          }
          return kept.get(id);
        });
        for (const [id, e] of kept) {
          if (now.has(id)) continue;
          e.remove();
          kept.delete(id);
        }
      };
    },
    // A mesh seen for the first time: of several beginnings the one that ends with the fewest lines crossing. The same
    // mesh looks the same every time.
    first(nodes, links) {
      let seed = 7, best = null;
      const chance = () => (seed = seed * 48271 % 2147483647) / 2147483647 - 0.5;
      const tries = Math.max(1, Math.min(24, Math.floor(1200 / (nodes.length + links.length))));
      for (let i = 0; i < tries && best?.crossings !== 0; i++) {
        for (const n of nodes) [n.x, n.y, n.vx, n.vy] = [chance() * 400, chance() * 300, 0, 0];
        settle(nodes, links, 1, 300);
        let crossings = 0;
        if (tries > 1) links.forEach((k, a) => links.slice(a + 1).forEach((l) => { crossings += cross(k, l); }));
        if (!best || crossings < best.crossings) best = { crossings, at: nodes.map((n) => [n.x, n.y]) };
      }
      nodes.forEach((n, i) => { [n.x, n.y] = best.at[i]; });
    },
    // A mesh that changed: nodes stay about where they were.
    again: (nodes, links) => settle(nodes, links, 0.5, 120),
    // As large as the room allows, and not larger than is good to look at.
    fit(nodes, svg) {
      const W = Math.max(280, svg.parentNode.clientWidth), H = Math.max(280, Math.min(520, W * 0.6));
      svg.setAttribute("viewBox", `0 0 ${W} ${H}`);
      const xs = nodes.map((n) => n.x), ys = nodes.map((n) => n.y);
      const [left, right, top, bottom] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
      const scale = Math.min(1.6, (W - 2 * RIM) / Math.max(1, right - left), (H - 2 * RIM - 14) / Math.max(1, bottom - top));
      for (const n of nodes) n.at = [W / 2 + (n.x - (left + right) / 2) * scale, H / 2 - 7 + (n.y - (top + bottom) / 2) * scale];
    },
  };
})();
