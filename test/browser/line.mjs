// How long a line of a log takes to a page: for the benchmark `agent`, which says where the server is, and by its standard input
// whose log is read. Each line is the time at which it was written, in nanoseconds; the delays are told in milliseconds.
import { createInterface } from 'node:readline';
import { launch, open } from './browser.mjs';

const [url, lines] = process.argv.slice(2);
const browser = await launch();
try {
  const { page } = await open(browser, url, { extraHTTPHeaders: { Authorization: `Bearer ${process.env.ROADBED_TOKEN}` } });
  await page.addInitScript(() => {
    globalThis.delays = new Map();
    const look = (node) => {
      const texts = document.createNodeIterator(node, NodeFilter.SHOW_TEXT);
      for (let text = texts.nextNode(); text; text = texts.nextNode()) {
        const line = text.data.trim();
        if (!/^\d{19}$/.test(line) || globalThis.delays.has(line)) continue;
        globalThis.delays.set(line, performance.timeOrigin + performance.now() - Number(line.slice(0, 16)) / 1000);
      }
    };
    new MutationObserver((changes) => {
      for (const c of changes) {
        c.addedNodes.forEach(look);
        if (c.type === 'characterData') look(c.target);
      }
    }).observe(document, { childList: true, characterData: true, subtree: true });
  });
  await page.goto('/');
  await page.getByRole('navigation').first().waitFor();
  console.log('ready');
  const run = await new Promise((resolve) => createInterface({ input: process.stdin }).once('line', resolve));
  await page.goto(`/runs/${run}`);
  await page.getByRole('tab', { name: 'Steps and logs' }).click();
  try {
    await page.waitForFunction((n) => globalThis.delays.size >= n, Number(lines), { timeout: 60_000 });
  } catch (err) {
    throw new Error(`of ${lines} lines ${await page.evaluate(() => globalThis.delays.size)} came to the page`, { cause: err });
  }
  console.log(JSON.stringify(await page.evaluate(() => [...globalThis.delays.values()])));
} finally {
  await browser.close();
}
