import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { after, before, test } from 'node:test';
import * as demo from './demo_traces.mjs';
import { open, rows, TIMEOUT } from './setup.mjs';

const AXE = createRequire(import.meta.url).resolve('axe-core/axe.min.js');

let infinium;
const research = demo.research(33);
const risky = demo.risky(19);
before(
  async () => {
    infinium = await open();
    await infinium.receiver.send(...demo.seed(), research, risky);
  },
  { timeout: TIMEOUT },
);
after(() => infinium?.close(), { timeout: TIMEOUT });

async function check(page, what) {
  await page.addScriptTag({ path: AXE });
  const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ['violations'] }));
  const found = violations.map(({ id, impact, nodes }) => `${what}: ${impact} ${id} ${nodes.length}x ${nodes[0].target} ${nodes[0].failureSummary}`);
  assert.deepEqual(found, []);
}

// axe is a foreign script, so these contexts alone do without the policy.
for (const colorScheme of ['light', 'dark']) {
  test(`axe finds nothing, ${colorScheme}`, { timeout: TIMEOUT }, async () => {
    const options = { colorScheme, bypassCSP: true, reducedMotion: 'reduce' };
    const list = await infinium.page('/', options);
    await rows(list).first().waitFor();
    await check(list, 'list');
    await list.keyboard.press('j');
    await list.keyboard.press('Enter');
    await list.locator('.trace-head').waitFor();
    await check(list, 'list and trace');
    await list.keyboard.press('?');
    await check(list, 'keys');
    for (const [trace, step] of [[research, '3'], [risky, '']]) {
      const page = await infinium.page(`/traces/${trace.trace_id}?step=${step}`, options);
      await page.locator('.waterfall').waitFor();
      for (const summary of await page.locator('.trace summary').all()) await summary.click();
      await check(page, trace.name);
      await page.context().close();
    }
    const empty = await infinium.page('/?name=nothing', options);
    await empty.getByText('No trace matches').waitFor();
    await check(empty, 'no match');
  });
}

test('axe finds nothing where one logs in', { timeout: TIMEOUT }, async () => {
  const context = await infinium.browser.newContext({ bypassCSP: true });
  const page = await context.newPage();
  await page.goto(infinium.receiver.url);
  await page.getByRole('heading', { name: 'Log in with a link' }).waitFor();
  await check(page, 'log in');
});

for (const [width, height] of [[400, 800], [1280, 800], [3840, 2160]]) {
  test(`nothing is wider than the window at ${width} pixels`, { timeout: TIMEOUT }, async () => {
    for (const path of ['/', `/traces/${risky.trace_id}`, `/traces/${research.trace_id}?step=3`]) {
      const page = await infinium.page(path, { viewport: { width, height } });
      await page.locator(path === '/' ? '.table-body [role=row]' : '.waterfall').first().waitFor();
      const over = await page.evaluate(() =>
        [document.documentElement, document.querySelector('.trace')].filter((element) => element && element.scrollWidth > element.clientWidth).map((element) => element.className || 'document'),
      );
      await page.context().close();
      assert.deepEqual(over, [], path);
    }
  });
}
