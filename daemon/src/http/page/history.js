"use strict";
// Charts of how a link or the node was. `past(box, say, get)` gives a function that shows one: its address, or "" for the
// node itself, or null for what no history is kept of.
const past = (box, say, get) => {
  const lang = document.documentElement.lang;
  const number = (value, digits = 0) => value.toLocaleString(lang, { maximumFractionDigits: digits });
  const bits = (kbits) => kbits >= 1000 ? `${number(kbits / 1000, 1)} Mbit/s` : `${number(kbits, 1)} kbit/s`;
  const kbits = (bytes) => bytes === null ? null : bytes * 8 / 1000;
  const CHARTS = [
    { title: "past_quality", unit: (v) => `${number(v)} %`, most: 100,
      lines: [["to_percent", "hears", "--good"], ["from_percent", "heard", "--accent"]] },
    { title: "past_traffic", unit: bits, convert: kbits,
      lines: [["owner_bytes_per_second", "owner", "--accent"], ["relay_bytes_per_second", "relay", "--fair"]] },
    { title: "past_throughput", unit: bits, lines: [["throughput", "metric", "--good"], ["spare", "spare", "--fair"]] },
    { title: "past_changes", unit: (v) => number(v), bars: true, lines: [["route_changes", "changes", "--poor"]] },
  ];
  const element = (name, attributes = {}, ...children) => {
    const e = document.createElement(name);
    for (const [k, v] of Object.entries(attributes)) e.setAttribute(k, v);
    e.append(...children);
    return e;
  };
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  let of = "", label = "", scale = "hour", shown = [], asked = 0, series = null;
  const title = element("h2", { id: "past-title" });
  const choice = element("p", { class: "choice", role: "group", "aria-label": say("past") });
  const charts = element("div", { id: "charts" });
  for (const name of ["hour", "days", "month"]) {
    const button = element("button", { type: "button", "data-scale": name }, say(name));
    button.addEventListener("click", () => { scale = name; draw(); });
    choice.append(button);
  }
  box.replaceChildren(title, choice, charts);
  box.hidden = false;

  function time(seconds) {
    const date = new Date(seconds * 1000);
    const clock = { hour: "2-digit", minute: "2-digit" };
    const day = { day: "numeric", month: "short" };
    if (scale === "hour") return date.toLocaleTimeString(lang, clock);
    return scale === "days" ? date.toLocaleString(lang, { weekday: "short", ...clock }) : date.toLocaleDateString(lang, day);
  }

  function chart(kind, history, times) {
    const lines = kind.lines.map(([key, word, paint]) => {
      const values = (history[key] ?? []).map((v) => kind.convert ? kind.convert(v) : v);
      return { word, paint: colour(paint), values };
    }).filter((line) => line.values.some((v) => v !== null));
    if (lines.length === 0) return null;
    const most = kind.most ?? Math.max(1, ...lines.flatMap((l) => l.values.filter((v) => v !== null))) * 1.1;
    const caption = element("figcaption", {}, element("b", {}, say(kind.title)));
    const texts = lines.map((line) => {
      const text = element("span", {});
      const mark = element("i", { "aria-hidden": "true" });
      mark.style.background = line.paint;
      caption.append(" ", element("span", { class: "mark" }, mark, ` ${say(line.word)} `, text));
      return text;
    });
    const tell = (i) => lines.forEach((line, n) => {
      const at = i ?? line.values.findLastIndex((v) => v !== null);
      const value = line.values[at];
      const when = i === null || i === undefined ? say("now") : time(times[i]);
      texts[n].textContent = `${value === null || value === undefined ? say("unknown") : kind.unit(value)} (${when})`;
    });
    const figure = element("figure", { role: "group", "data-chart": kind.title, "data-points": Math.max(...lines.map((l) => l.values.filter((v) => v !== null).length)) }, caption);
    const place = element("div", { role: "img", "aria-label": lines.map((l) => {
      const known = l.values.filter((v) => v !== null);
      return `${say(l.word)}: ${kind.unit(Math.min(...known))} – ${kind.unit(Math.max(...known))}`;
    }).join("; ") });
    figure.append(place);
    charts.append(figure);
    return () => plot(kind, history, times, lines, most, place, tell);
  }

  // Drawn once all have their place, as that says how wide each is.
  function plot(kind, history, times, lines, most, place, tell) {
    const axis = { stroke: colour("--soft"), grid: { stroke: colour("--line"), width: 1 }, ticks: { stroke: colour("--line") }, font: "13px system-ui, sans-serif" };
    const now = times[times.length - 1], step = history.step_msecs / 1000;
    const drawn = new window.charts.Chart({
      width: Math.max(260, place.clientWidth), height: 150,
      padding: [12, 8, 0, 0],
      legend: { show: false },
      cursor: { y: false, drag: { x: false, y: false }, sync: { key: "past" } },
      scales: { x: { time: true, range: [Math.min(times[0], now - 11 * step) - step, now] }, y: { range: [0, most] } },
      axes: [
        { ...axis, size: 30, space: 70, incrs: [60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400, 172800, 345600, 604800], values: (_, all) => all.map(time) },
        { ...axis, size: 74, space: 34, values: (_, all) => all.map((v) => kind.unit(v)) },
      ],
      series: [{}, ...lines.map((line) => kind.bars
        ? { stroke: line.paint, fill: line.paint, paths: window.charts.Chart.paths.bars({ size: [0.7, 8, 2] }), points: { show: false } }
        : { stroke: line.paint, width: 2, points: { size: 5, fill: line.paint } })],
      hooks: { setCursor: [(u) => tell(u.cursor.idx)] },
    }, [times, ...lines.map((l) => l.values)], place);
    tell(null);
    return drawn;
  }

  async function draw() {
    const mine = ++asked;
    title.textContent = `${say("past")}: ${label}`;
    for (const button of choice.children) button.setAttribute("aria-pressed", button.dataset.scale === scale);
    let history = null, why = "past_none";
    const ask = async (whom) => {
      const answer = await get(`api/v1/history?scale=${scale}${whom ? `&of=${encodeURIComponent(whom)}` : ""}`);
      const told = answer.ok ? (await answer.json()).history : null;
      series = told?.series ?? series;
      return told;
    };
    const kept = () => !of || series?.some((s) => s.neigh_address === of || s.orig_address === of);
    try {
      // What there is a history of is said with every one.
      if (of === null || (!kept() && (await ask(""), !kept()))) why = "past_far";
      else history = await ask(of);
    } catch {
      return;
    }
    if (mine !== asked) return;
    for (const old of shown) old.destroy();
    charts.replaceChildren();
    shown = [];
    const steps = history?.route_changes.length ?? 0;
    if (steps > 0) {
      const newest = (Date.now() - history.newest_msecs) / 1000, step = history.step_msecs / 1000;
      const times = history.route_changes.map((_, i) => newest - (steps - 1 - i) * step);
      shown = CHARTS.map((kind) => chart(kind, history, times)).filter(Boolean).map((draw) => draw());
    }
    choice.hidden = why === "past_far";
    if (shown.length === 0) charts.append(element("p", {}, say(why)));
  }

  setInterval(() => { if (!document.hidden) draw(); }, 10000);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  let width = innerWidth;
  addEventListener("resize", () => { if (innerWidth !== width) { width = innerWidth; draw(); } });
  return (what, name) => {
    if (what === of && name === label) return;
    [of, label] = [what, name];
    draw();
  };
};
