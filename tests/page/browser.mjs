// A browser, and what every check of a page uses.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
export const PHONE = { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true };
export const DESK = { viewport: { width: 1280, height: 1000 } };

let passed = 0;
const failures = [];
export function check(good, what) {
  console.log(`${good ? "ok" : "FAILED"}  ${what}`);
  if (good) passed += 1;
  else failures.push(what);
}
export function end() {
  console.log(`in short: ${passed} passed, ${failures.length} failed`);
  process.exit(failures.length ? 1 : 0);
}

export const wait = (ms) => new Promise((done) => setTimeout(done, ms));
// Waits until something holds; the seconds it took, or null.
export async function until(what, seconds) {
  const start = Date.now();
  while (Date.now() - start < seconds * 1000) {
    if (await what()) return (Date.now() - start) / 1000;
    await wait(100);
  }
  return null;
}
export const count = (page, selector) => page.locator(selector).count();

// Opens pages of one origin, and writes down errors and requests to elsewhere.
export async function browser(executablePath, origin) {
  const chrome = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
  const bad = [];
  let cookies = [];
  async function open(path, options, prepare) {
    const context = await chrome.newContext(options);
    await context.addCookies(cookies);
    const page = await context.newPage();
    page.on("console", (m) => m.type() === "error" && bad.push(`${m.text()} ${m.location().url}`));
    page.on("pageerror", (e) => bad.push(String(e)));
    page.on("request", (r) => {
      if (!r.url().startsWith(origin) && !r.url().startsWith("data:")) bad.push(`outside: ${r.url()}`);
    });
    await prepare?.(page);
    await page.goto(new URL(path, origin).href);
    cookies = await context.cookies();
    return page;
  }
  return { open, bad, close: () => chrome.close() };
}

// What of WCAG 2.1 A and AA a page breaks, contrast included. The page lets no script in; the tool comes past it.
export async function accessible(page, what) {
  await page.evaluate(axe);
  const found = await page.evaluate(() => window.axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"] }));
  const broken = found.violations.map((v) => `${v.id} (${v.nodes.length}: ${v.nodes[0].html.slice(0, 90)} ${v.nodes[0].any[0]?.message ?? ""})`);
  const contrast = found.passes.find((p) => p.id === "color-contrast")?.nodes.length ?? 0;
  check(broken.length === 0 && contrast > 10, `${what}: WCAG 2.1 AA, contrast of ${contrast} texts ${broken.join("; ")}`);
}
