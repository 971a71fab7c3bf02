// What the journeys share: a real Chromium, pages that must be free of errors, and pictures on demand.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
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
export async function picture(page, name, setting = 'ROADBED_PICTURES') {
  const folder = process.env[setting];
  if (!folder) return;
  const to = path.resolve(here, folder);
  fs.mkdirSync(to, { recursive: true });
  await page.locator('.mantine-Skeleton-root').first().waitFor({ state: 'detached' });
  await page.screenshot({ path: path.join(to, `${name}.png`) });
}

/** Saves pictures of the page in light and in dark, when a folder for what is to be looked at is given (ROADBED_SEEN). */
export async function pictures(page, name) {
  if (!process.env.ROADBED_SEEN) return;
  for (const colorScheme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme });
    await picture(page, `${name}-${colorScheme}`, 'ROADBED_SEEN');
  }
  await page.emulateMedia({ colorScheme: null });
}

/** What must not be there on any page: a picture of it is no error, and refusals are what some chapters are about. */
const expected = /Failed to load resource.*40[134]|Failed to load resource.*4(09|22)/;

/** A story of chapters: the ones after one that failed can't be told. What each window showed then is kept as a picture. */
export function story(name) {
  let broken = false;
  const windows = [];
  const findings = [];
  return {
    chapter(title, tell) {
      test(title, async (t) => {
        if (broken) return t.skip('an earlier chapter failed');
        try {
          await tell();
        } catch (err) {
          broken = true;
          const pages = windows.flatMap((w) => w.context.pages());
          for (const [i, page] of pages.entries()) await page.screenshot({ path: path.join(os.tmpdir(), `roadbed-${name}-${i}.png`) });
          throw err;
        }
      });
    },
    /** Opens a window that belongs to the story. */
    async window(browser, url, options) {
      const one = await open(browser, url, options);
      windows.push(one);
      return one.page;
    },
    /** A person who opens a sign-in link in a window of their own. */
    async person(browser, url, link) {
      const page = await this.window(browser, url);
      await page.goto(link);
      await page.getByRole('navigation').getByRole('link', { name: 'Ledger' }).waitFor();
      return page;
    },
    /** What is on the page now must be free of findings; all of them are told at the end. */
    async sound(page, what) {
      for (const v of await violations(page)) findings.push(`${what} at ${page.url()}: ${v}`);
    },
    /** Fails when a page broke, or was hard to use for somebody. */
    end(alsoExpected = /(?!)/) {
      const wrong = windows.flatMap((w) => w.wrong).filter((w) => !expected.test(w) && !alsoExpected.test(w));
      assert.deepEqual(wrong, []);
      assert.deepEqual(findings, []);
    },
  };
}
