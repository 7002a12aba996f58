// Looks at the pages of a lab, a grid of 4 by 3. Arguments: program, folder of the lab, folder for pictures, browser,
// address that the lab printed.
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { DESK, PHONE, accessible, browser, check, count, end, until, wait } from "./browser.mjs";

const [program, dir, pictures, chromium, address] = process.argv.slice(2);
const NODES = 12, LINKS = 17, BAR = process.env.LONG ? 5 : 20;
const origin = new URL(address).origin + "/";
const lab = (...words) => execFileSync(program, ["lab", ...words, "--dir", dir]);
const link = (a, b) => `.link:not(.way)[aria-label="${a} – ${b}"], .link:not(.way)[aria-label="${b} – ${a}"]`;

const closed = await fetch(origin);
check(closed.status === 401, "without its token the lab is closed");
const { open, bad, close } = await browser(chromium, origin);
const over = await open(address, DESK);
const turned = (a, b) => over.locator(`.link[aria-label="cut ${a} – ${b}"], .link[aria-label="heal ${a} – ${b}"]`);
const laid = await until(async () => await count(over, ".node") === NODES && await count(over, ".link") === LINKS, 60);
check(laid !== null && over.url() === origin, `the lab shows ${await count(over, ".node")} nodes and ${await count(over, ".link")} links, and the token left the address`);

const desk = await open("node/n1/", DESK);
const all = await until(async () => await count(desk, ".node") === NODES && await count(desk, ".link:not(.way)") === LINKS, 90);
check(all !== null, `all ${NODES} nodes and ${LINKS} links are on the map (${await count(desk, ".node")}, ${await count(desk, ".link:not(.way)")}) after ${all} s`);
check(await count(desk, "#live:not([hidden])") === 1, "the page says that it is live");
const names = await desk.locator(".node text").allTextContents();
check(names.includes("n1") && names.includes("n12"), `nodes have their names: ${names.sort().join(" ")}`);

// By keyboard alone: a node, what there is to know of it, and the way that an echo takes.
await desk.locator('.node[aria-label="n12"]').focus();
await desk.keyboard.press("Enter");
const detail = async () => (await desk.locator("#detail").innerText()).replaceAll("\n", " ");
const way = async () => (await detail()).match(/n1( → n\d+)+/)?.[0].split(" → ") ?? [];
const echoed = await until(async () => (await way()).at(-1) === "n12", 15);
const before = await way();
check(echoed !== null, `Enter on n12 tells of it, and the way of an echo: ${await detail()}`);
const marked = async () => (await desk.locator(".link.path").count());
check(await until(async () => await marked() === before.length - 1, 5) !== null, `the way is marked on the map (${await marked()} links)`);
// The last link of the way but one: far from here.
const [a, b] = [before.at(-3) ?? before[0], before.at(-2) ?? before[1]];
lab("cut", a, b);
const other = await until(async () => {
  const now = await way();
  return now.at(-1) === "n12" && now.join() !== before.join() && !now.some((n, i) => [n, now[i - 1]].sort().join() === [a, b].sort().join());
}, 60);
check(other !== null, `${other} s after ${a} – ${b} was cut the echo takes another way: ${(await way()).join(" → ")}`);
lab("heal", a, b);

// A link of the node itself, cut and healed with a click on the overview; and one far away.
const cuts = [
  ["n1", "n2", async () => turned("n1", "n2").dispatchEvent("click")],
  ["n11", "n12", async (heal) => lab(heal ? "heal" : "cut", "n11", "n12")],
];
for (const [a, b, turn] of cuts) {
  check(await until(async () => await count(desk, link(a, b)) === 1, 60) !== null, `${a} and ${b} are linked`);
  await turn(false);
  const gone = await until(async () => await count(desk, link(a, b)) === 0, 40);
  check(gone !== null && gone <= BAR, `the link of ${a} and ${b} left the map ${gone} s after it was cut (bar ${BAR} s)`);
  if (a === "n1") {
    check(await until(async () => await over.locator(".link.cut").count() === 1, 5) !== null, "the overview shows it cut");
    await over.screenshot({ path: `${pictures}/lab.png`, fullPage: true });
    // A link leaves the map on suspicion; the node says so once it is sure.
    check(await until(async () => await count(desk, "#events li") > 0, 20) !== null, "events are on the page");
  }
  await turn(true);
  const back = await until(async () => await count(desk, link(a, b)) === 1, 60);
  check(back !== null, `and came back ${back} s after it was healed`);
}

// Charts of the node and of a link.
const points = (chart) => desk.locator(`[data-chart=${chart}]`).getAttribute("data-points", { timeout: 1000 }).then(Number, () => 0);
const chart = async (name, least) => check(await until(async () => await points(name) >= least, 40) !== null, `chart ${name} has ${await points(name)} points`);
await desk.locator('.node[aria-label="n1"]').click();
await chart("past_traffic", 3);
await desk.locator('.node[aria-label="n2"]').click();
await until(async () => (await desk.locator("#past-title").innerText()).includes("n2") && await count(desk, "[data-chart=past_quality]") === 1, 20);
await chart("past_quality", 3);
const wet = await desk.evaluate(() => [...document.querySelectorAll("#charts canvas")].every((c) => {
  const seen = c.getContext("2d").getImageData(0, 0, c.width, c.height).data;
  return new Set(seen.filter((_, i) => i % 4 === 0)).size > 8;
}));
check(wet && await count(desk, "#charts canvas") >= 3, `${await count(desk, "#charts canvas")} charts are drawn`);
await accessible(desk, "a link and its charts, light");
await desk.screenshot({ path: `${pictures}/desk.png`, fullPage: true });
await desk.locator('.node[aria-label="n12"]').click();
check(await until(async () => (await desk.locator("#charts").innerText()).includes("its own links only"), 10) !== null, "of a node far away the page says who has its history");
await desk.locator("button[data-scale=days]").dispatchEvent("click");

// The mesh cut in two: the far half stays on the map, as old.
const far = ["n3", "n4", "n7", "n8", "n11", "n12"];
const rift = [["n2", "n3"], ["n6", "n7"], ["n10", "n11"]];
for (const ends of rift) lab("cut", ...ends);
const gone = (page, names) => Promise.all(names.map((n) => count(page, `.node.gone[aria-label="${n}"]`))).then((all) => all.every((n) => n === 1));
const apart = await until(() => gone(desk, far), 90);
check(apart !== null && await count(desk, ".node") === NODES, `${apart} s after the mesh was cut in two, the far half is on the map, marked as old (${await count(desk, ".node.gone")} of ${await count(desk, ".node")} nodes)`);
check(await until(async () => await count(desk, ".link.old") >= 7, 20) !== null, `with its ${await count(desk, ".link.old")} links`);
const there = await open("node/n4/", DESK);
check(await until(() => gone(there, ["n1", "n2", "n5", "n6", "n9", "n10"]), 40) !== null, "and so does the other half of this one");
await desk.locator('.node[aria-label="n12"]').click();
await wait(1500);
await desk.screenshot({ path: `${pictures}/apart.png`, fullPage: true });
await accessible(desk, "a mesh in two halves");
for (const ends of rift) lab("heal", ...ends);
const whole = await until(async () => await count(desk, ".node.gone") === 0 && await count(desk, ".link:not(.way)") === LINKS, 90);
check(whole !== null, `${whole} s after it was healed it is whole again`);

const dark = await open("node/n1/de", { ...DESK, colorScheme: "dark", locale: "de-DE" });
await until(async () => await count(dark, ".node") === NODES, 20);
await dark.locator('.node[aria-label="n5"]').click();
await until(async () => await count(dark, "#charts canvas") >= 2, 20);
const german = await dark.locator("body").innerText();
check(["Karte des Mesh", "Nachbarn", "Letzte Stunde", "eigene Geräte", "Nächster Knoten"].every((w) => german.includes(w)), "in German, words of script and tables");
await accessible(dark, "dark, German");
await dark.screenshot({ path: `${pictures}/dark.png`, fullPage: true });
const phone = await open("node/n1/", PHONE);
await until(async () => await count(phone, ".node") === NODES, 20);
await phone.locator('.node[aria-label="n2"]').tap();
await until(async () => await count(phone, "#charts canvas") >= 2, 20);
await wait(500);
await phone.screenshot({ path: `${pictures}/phone.png`, fullPage: true });
check(await phone.evaluate(() => document.documentElement.scrollWidth <= innerWidth), "nothing hangs over on a phone");
await accessible(phone, "on a phone");
const plain = await open("node/n1/", { viewport: { width: 900, height: 900 }, javaScriptEnabled: false, locale: "de-DE" });
check((await plain.locator("#tables").innerText()).includes("Nachbarn"), "without script the tables are there, in German");
check(!await plain.locator("#map").isVisible(), "and no frame for a map that cannot be drawn");
check(await count(plain, "#nodes") === 1 && await plain.locator("section:has(#nodes) tbody tr").count() === NODES - 1, "with every node");
await plain.screenshot({ path: `${pictures}/plain.png`, fullPage: true });
await accessible(over, "the lab's overview");
const small = await open("", PHONE);
await until(async () => await count(small, ".node") === NODES, 20);
await small.screenshot({ path: `${pictures}/lab-phone.png` });
check(await small.evaluate(() => document.documentElement.scrollWidth <= innerWidth), "nor on the overview");

// A mesh of ours (1, 2, 5) and of the kernel (3, 4, 6), as a node of ours told it in the scenario "page" of tests/interop:
// nobody tells of the link between the kernel nodes 3 and 4.
const told = readFileSync(new URL("mixed.json", import.meta.url), "utf8");
const mixed = await open("node/n1/", DESK, async (page) => {
  await page.route("**/api/v1/topology", (route) => route.fulfill({ body: told, contentType: "application/json" }));
  // The node of this lab knows none of them.
  await page.route(/api.v1.(explain|ping)/, (route) => route.fulfill({ body: '{"ways": [], "weak": []}', contentType: "application/json" }));
});
await until(async () => await count(mixed, ".node") === 6, 20);
check(await count(mixed, ".node.foreign rect") === 3 && await count(mixed, ".node circle") === 3, "in a mixed mesh, three nodes are drawn as kernel ones and three as ours");
const ends = (await mixed.locator(".link").evaluateAll((all) => all.map((l) => l.getAttribute("data-id").match(/02:e0:00:0\d/g).map((m) => m.slice(-1)).sort().join("-")))).sort().join(" ");
check(ends === "1-2 2-3 2-6 4-5 5-6", `and the links that somebody tells of: ${ends}`);
await mixed.locator(".node.foreign").first().click();
check(await until(async () => (await mixed.locator("#detail").innerText()).includes("another program"), 5) !== null, "a kernel node is said to run another program");
await mixed.screenshot({ path: `${pictures}/mixed.png` });
await mixed.context().close();

// As the README says: one command on the machine of the node, which is the namespace of n1 here.
const readme = readFileSync(new URL("README.md", import.meta.url), "utf8").split("## See your mesh")[1];
const command = readme.match(/^ {4}(.+)\n\n/m)[1];
writeFileSync(`${dir}/xdg-open`, '#!/bin/sh\necho "$1"\n', { mode: 0o755 });
const shown = execFileSync("sh", ["-c", command], { env: { PATH: `${dir}:${process.env.PATH}` } }).toString().trim();
const pid = JSON.parse(lab("status", "--json")).nodes[0].pid;
writeFileSync(`${dir}/browser`, `#!/bin/sh\nexec nsenter --target ${pid} --net ${chromium} "$@"\n`, { mode: 0o755 });
const machine = await browser(`${dir}/browser`, shown);
const own = await machine.open("", DESK);
const seen = await until(async () => await count(own, ".node") === NODES && await count(own, ".link:not(.way)") === LINKS, 30);
check(seen !== null, `"${command}" shows the map on the machine itself after ${seen} s`);
await own.locator('.node[aria-label="n2"]').click();
await until(async () => await count(own, "[data-chart=past_quality]") === 1, 20);
await wait(1500);
const publicly = await own.locator("body").innerText();
check(!/02:0[23]:00:00:00:/.test(publicly) && publicly.includes("this node carried") && !publicly.includes("you used") && await count(own, "[data-chart=past_traffic]") === 0, "and without a login no client and nobody's traffic");
await own.screenshot({ path: `${pictures}/readme.png`, fullPage: true });
check(machine.bad.length === 0, `no error there either ${machine.bad.join("; ")}`);
await machine.close();

check(bad.length === 0, `no error and no request to elsewhere ${bad.join("; ")}`);
await close();
end();
