// Looks at the page of the first node of a lab. Arguments: program, folder of the lab, folder for pictures, browser.
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import net from "node:net";
import { chromium } from "playwright-core";

const [program, lab, pictures, browser] = process.argv.slice(2);
const NODES = 12, LINKS = 17;
let passed = 0;
const failures = [];
function check(good, what) {
  console.log(`${good ? "ok" : "FAILED"}  ${what}`);
  if (good) passed += 1;
  else failures.push(what);
}
const wait = (ms) => new Promise((done) => setTimeout(done, ms));

// The node listens in a namespace of its own; its unix socket is reached from everywhere.
const socket = `${lab}/n1.http`;
const proxy = net.createServer((near) => {
  const far = net.connect(socket);
  for (const [a, b] of [[near, far], [far, near]]) {
    a.on("error", () => b.destroy());
    a.pipe(b);
  }
});
await new Promise((done) => proxy.listen(0, "127.0.0.1", done));
const url = `http://127.0.0.1:${proxy.address().port}/`;
for (let i = 0; !existsSync(socket); i++) {
  if (i > 200) throw new Error("the lab did not start");
  await wait(100);
}

const chrome = await chromium.launch({ executablePath: browser, args: ["--no-sandbox"] });
const bad = [];
async function open(options) {
  const context = await chrome.newContext(options);
  const page = await context.newPage();
  page.on("console", (m) => m.type() === "error" && bad.push(m.text()));
  page.on("pageerror", (e) => bad.push(String(e)));
  page.on("request", (r) => {
    if (!r.url().startsWith(url) && !r.url().startsWith("data:")) bad.push(`outside: ${r.url()}`);
  });
  await page.goto(url);
  return page;
}
// Waits until something holds; the seconds it took, or null.
async function until(what, seconds) {
  const start = Date.now();
  while (Date.now() - start < seconds * 1000) {
    if (await what()) return (Date.now() - start) / 1000;
    await wait(100);
  }
  return null;
}

const desk = await open({ viewport: { width: 1280, height: 1000 } });
const count = (page, selector) => page.locator(selector).count();
const all = await until(async () => await count(desk, ".node") === NODES && await count(desk, ".link:not(.way)") === LINKS, 90);
check(all !== null, `all ${NODES} nodes and ${LINKS} links are on the map (${await count(desk, ".node")}, ${await count(desk, ".link:not(.way)")}) after ${all} s`);
check(await count(desk, "#live:not([hidden])") === 1, "the page says that it is live");
const names = await desk.locator(".node text").allTextContents();
check(names.includes("n1") && names.includes("n12"), `nodes have their names: ${names.sort().join(" ")}`);

// By keyboard alone: a node, and what there is to know of it.
await desk.locator('.node[aria-label="n12"]').focus();
await desk.keyboard.press("Enter");
const said = await until(async () => (await desk.locator("#detail").innerText()).includes("n12"), 5);
check(said !== null, `Enter on n12 tells of it: ${(await desk.locator("#detail").innerText()).replaceAll("\n", " ").slice(0, 120)}`);

// A link of the node itself, and one far away.
for (const [a, b] of [["n1", "n2"], ["n11", "n12"]]) {
  const link = `.link:not(.way)[aria-label="${a} – ${b}"], .link:not(.way)[aria-label="${b} – ${a}"]`;
  check(await count(desk, link) === 1, `${a} and ${b} are linked`);
  execFileSync(program, ["lab", "cut", a, b, "--dir", lab]);
  const gone = await until(async () => await count(desk, link) === 0, 30);
  check(gone !== null, `the link of ${a} and ${b} left the map ${gone} s after it was cut`);
  execFileSync(program, ["lab", "heal", a, b, "--dir", lab]);
  const back = await until(async () => await count(desk, link) === 1, 60);
  check(back !== null, `and came back ${back} s after it was healed`);
}
check(await count(desk, "#events li") > 0, "events are on the page");
await desk.screenshot({ path: `${pictures}/desk.png`, fullPage: true });

const dark = await open({ viewport: { width: 1280, height: 1000 }, colorScheme: "dark" });
await until(async () => await count(dark, ".node") === NODES, 20);
await dark.screenshot({ path: `${pictures}/dark.png`, fullPage: true });
const phone = await open({ viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true });
await until(async () => await count(phone, ".node") === NODES, 20);
await phone.locator('.node[aria-label="n6"]').tap();
await wait(500);
await phone.screenshot({ path: `${pictures}/phone.png`, fullPage: true });
check(await phone.evaluate(() => document.documentElement.scrollWidth <= innerWidth), "nothing hangs over on a phone");
const plain = await open({ viewport: { width: 900, height: 900 }, javaScriptEnabled: false, locale: "de-DE" });
check((await plain.locator("#tables").innerText()).includes("Nachbarn"), "without script the tables are there, in German");
check(await count(plain, "#nodes") === 1 && await plain.locator("section:has(#nodes) tbody tr").count() === NODES - 1, "with every node");
await plain.screenshot({ path: `${pictures}/plain.png`, fullPage: true });

check(bad.length === 0, `no error and no request to elsewhere ${bad.join("; ")}`);
await chrome.close();
proxy.close();
console.log(`in short: ${passed} passed, ${failures.length} failed`);
process.exit(failures.length ? 1 : 0);
