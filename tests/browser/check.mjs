// The HTML report in a real browser: check.mjs SAMPLES [SCREENSHOTS]
//
// A search, a sort and a filter are performed by keyboard and pointer; axe judges the page in both themes and on a
// phone; hostile estates must stay inert. Screenshots are written where a directory for them is named.
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import assert from "node:assert/strict";

const [samples, screenshots] = process.argv.slice(2);
const from = createRequire(join(process.env.PRODPIN_TEST_BROWSER || process.cwd(), "package.json"));
const { chromium } = from("playwright-core");
const axe = readFileSync(from.resolve("axe-core/axe.min.js"), "utf8");

const browser = await chromium.launch({
  executablePath: process.env.PRODPIN_TEST_CHROMIUM || "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic"],
});

async function open(name, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 1000 }, reducedMotion: "reduce", ...options });
  const page = await context.newPage();
  page.trouble = [];
  page.on("console", (message) => page.trouble.push(message.text()));
  page.on("pageerror", (error) => page.trouble.push(error.message));
  page.on("dialog", (dialog) => { page.trouble.push("dialog " + dialog.message()); dialog.dismiss(); });
  page.on("request", (request) => request.url().startsWith("file:") || page.trouble.push("request " + request.url()));
  await page.goto(pathToFileURL(join(samples, name)).href);
  await page.waitForSelector("html[data-ready]", { timeout: 60_000 });
  return page;
}

async function shot(page, name, section) {
  if (!screenshots) return;
  if (section) await page.evaluate((id) => document.getElementById(id)?.scrollIntoView(), section);
  await page.screenshot({ path: join(screenshots, name + ".png") });
}

// Within the page's own policy no script can be added, so axe goes in through the debugger.
async function accessible(page, what) {
  const context = page.context();
  const session = await context.newCDPSession(page);
  await session.send("Runtime.evaluate", { expression: axe });
  const { result, exceptionDetails } = await session.send("Runtime.evaluate", {
    expression: "axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'best-practice'] }).then((found) => JSON.stringify(found.violations.map((each) => [each.id, each.nodes.length, each.nodes[0].html.slice(0, 200), each.nodes[0].failureSummary])))",
    awaitPromise: true, returnByValue: true,
  });
  assert.equal(exceptionDetails, undefined, what);
  assert.deepEqual(JSON.parse(result.value), [], "axe, " + what);
}

const texts = (page, selector) => page.locator(selector).allTextContents();
const settled = (page, id, words) => page.waitForFunction(([id, words]) => document.getElementById(id).textContent === words, [id, words]);

{
  const page = await open("estate.html");
  await shot(page, "light");
  assert.equal(await page.textContent("#services-status"), "1,000 services");
  assert.equal((await texts(page, "#services-table tbody tr")).length, 50);
  // Worst first, until somebody sorts otherwise: twice by name is from the end.
  assert.match((await texts(page, "#services-table tbody tr:first-child td .tag"))[0], /not ready/);
  const byName = page.locator("#services-table thead button", { hasText: "Service" });
  await byName.focus();
  await page.keyboard.press("Enter");
  assert.equal(await page.getAttribute("#services-table th:first-child", "aria-sort"), "ascending");
  const ascending = await texts(page, "#services-table tbody button.open");
  assert.deepEqual(ascending, [...ascending].sort());
  await page.keyboard.press("Enter");
  assert.equal(await page.getAttribute("#services-table th:first-child", "aria-sort"), "descending");

  // A search by a part of a name, then one that finds nothing.
  await page.fill("#services-search", "service-00044");
  await settled(page, "services-status", "1 of 1,000 services");
  const opener = page.locator("#services-table tbody button.open");
  await opener.focus();
  await page.keyboard.press("Enter");
  assert.equal(await opener.getAttribute("aria-expanded"), "true");
  assert.equal(await page.locator("ol.releases li").count(), 5);
  assert.match(await page.locator("ol.releases").textContent(), /roll back to this/);
  await shot(page, "releases", "services");
  await page.fill("#services-search", "no such service");
  await settled(page, "services-status", "0 of 1,000 services");

  await page.fill("#services-search", "");
  await settled(page, "services-status", "1,000 services");
  await page.locator("#services-statuses button", { hasText: /^protected$/ }).click();
  await settled(page, "services-status", "364 of 1,000 services");
  await page.locator("#services-more").click();
  assert.equal(await page.locator("#services-table tbody tr").count(), 100);
  // Findings: the kinds above lead to them.
  await page.locator("button[data-code=tag-moved]").click();
  await settled(page, "findings-status", "91 of 364 findings");
  await page.fill("#findings-search", "waived vendor");
  await settled(page, "findings-status", "19 of 364 findings");
  await page.locator("#findings-table tbody button.open").first().click();
  assert.match(await page.locator("#findings-table dl.facts").textContent(), /Evidenceledger commit 42/);
  await shot(page, "findings", "findings");
  await shot(page, "moves", "moves");
  await shot(page, "calendar", "calendar");
  await shot(page, "ledger", "ledger");
  await accessible(page, "light, rows open");
  if (screenshots) await page.pdf({ path: join(screenshots, "print.pdf"), format: "A4" });
  assert.deepEqual(page.trouble, []);
  await page.context().close();
}
{
  const page = await open("small.html", { colorScheme: "dark" });
  await page.locator("#services-table button.open").first().click();
  await shot(page, "dark");
  await accessible(page, "dark");
  await page.click("#theme");
  assert.equal(await page.evaluate(() => getComputedStyle(document.documentElement).colorScheme), "light");
  await accessible(page, "light by choice");
  assert.deepEqual(page.trouble, []);
  await page.context().close();
}
{
  const page = await open("small.html", { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2 });
  await page.locator("#services-table button.open").first().click();
  assert.ok(await page.evaluate(() => document.documentElement.scrollWidth) <= 390, "nothing is wider than a phone");
  await shot(page, "phone", "services");
  await accessible(page, "phone");
  assert.deepEqual(page.trouble, []);
  await page.context().close();
}
{
  const page = await open("large.html");
  assert.equal(await page.textContent("#services-status"), "10,000 services");
  const began = Date.now();
  await page.fill("#services-search", "service-09999");
  await settled(page, "services-status", "1 of 10,000 services");
  console.log(`a search among 10,000 services: ${Date.now() - began} ms`);
  await page.context().close();
}
// Every switch and row of a hostile estate is used; nothing runs, nothing is loaded, nothing is too wide.
for (const name of readdirSync(samples).filter((name) => /^hostile-\d+\.html$/.test(name))) {
  const page = await open(name, { viewport: { width: 390, height: 844 } });
  for (const opener of await page.locator("button.open").all()) await opener.click();
  const elements = await page.evaluate(() => [...document.querySelectorAll("script, img, iframe, object, embed, link, form, base")]
    .filter((each) => each.type !== "application/json").length);
  assert.equal(elements, 1, name + ": only the page's own script");
  assert.equal(await page.evaluate(() => [...document.querySelectorAll("a")].every((each) => each.hash && each.pathname === location.pathname)), true, name);
  assert.ok(await page.evaluate(() => document.documentElement.scrollWidth) <= 390, name + " is wider than a phone");
  assert.deepEqual(page.trouble, [], name);
  await page.context().close();
}
await browser.close();
console.log("the report holds in a browser");
