// What the journeys share: a real Chromium, pages that must be free of errors, and pictures on demand.
import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { chromium } from 'playwright-core';

const axe = fs.readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const here = import.meta.dirname;

export async function launch() {
  return chromium.launch({
    executablePath: process.env.ROADBED_TEST_CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
  });
}

/** Opens a window of its own, as a person on a machine of their own has it, and collects what goes wrong in it. */
export async function open(browser, base, options = {}) {
  const context = await browser.newContext({
    baseURL: base,
    viewport: { width: 1440, height: 900 },
    reducedMotion: 'reduce',
    ...options,
  });
  context.setDefaultTimeout(30_000);
  const page = await context.newPage();
  const wrong = [];
  page.on('console', (m) => {
    if (m.type() === 'error' || m.type() === 'warning') wrong.push(`${m.type()} at ${page.url()}: ${m.text()}`);
  });
  page.on('pageerror', (e) => wrong.push(`exception at ${page.url()}: ${e.stack ?? e}`));
  page.on('response', (r) => {
    if (r.status() >= 500) wrong.push(`${r.status()} ${r.request().method()} ${r.url()}`);
  });
  return { context, page, wrong };
}

/** Violations of WCAG 2.2 A and AA on the page as it is now, in words. */
export async function violations(page) {
  await page.evaluate(axe);
  const result = await page.evaluate(() =>
    globalThis.axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'] }),
  );
  return result.violations.map(
    (v) => `${v.id} (${v.impact}): ${v.help}: ${v.nodes.slice(0, 3).map((n) => `${n.target.join(' ')} ${n.failureSummary}`).join(' | ')}`,
  );
}

/** Saves a picture when a folder for pictures is given (`make pictures`). */
export async function picture(page, name) {
  const folder = process.env.ROADBED_PICTURES;
  if (!folder) return;
  const to = path.resolve(here, folder);
  fs.mkdirSync(to, { recursive: true });
  await page.screenshot({ path: path.join(to, `${name}.png`) });
}
