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
    await infinium.receiver.send(...demo.seed().slice(25), research, risky); // some of each kind: axe looks at every row
    await infinium.receiver.api('POST', '/prompts', { name: 'classify', content: 'Classify: {text}' });
    await infinium.receiver.api('POST', `/traces/${research.trace_id}/scores`, { name: 'helpfulness', value: 0.8, comment: 'clear' });
  },
  { timeout: TIMEOUT },
);
after(() => infinium?.close(), { timeout: TIMEOUT });

/** `rules`: these alone; otherwise all. */
async function check(page, what, rules) {
  await page.addScriptTag({ path: AXE });
  const runOnly = rules && { runOnly: { type: 'rule', values: rules } };
  const { violations } = await page.evaluate((options) => window.axe.run(document, options), { resultTypes: ['violations'], ...runOnly });
  const found = violations.map(({ id, impact, nodes }) => `${what}: ${impact} ${id} ${nodes.length}x ${nodes[0].target} ${nodes[0].failureSummary}`);
  assert.deepEqual(found, []);
}

// axe is a foreign script, so these contexts alone do without the policy. Dark differs from light in its colours only.
for (const colorScheme of ['light', 'dark']) {
  const rules = colorScheme === 'dark' ? ['color-contrast', 'link-in-text-block'] : undefined;
  const options = { colorScheme, bypassCSP: true, reducedMotion: 'reduce' };
  test(`axe finds nothing in the list and in traces, ${colorScheme}`, { timeout: TIMEOUT }, async () => {
    const list = await infinium.page('/', options);
    await rows(list).first().waitFor();
    await check(list, 'list', rules);
    await list.keyboard.press('j');
    await list.keyboard.press('Enter');
    await list.locator('.trace-head').waitFor();
    await check(list, 'list and trace', rules);
    await list.keyboard.press('?');
    await check(list, 'keys', rules);
    for (const [trace, step] of [[research, '3'], [risky, '']]) {
      const page = await infinium.page(`/traces/${trace.trace_id}?step=${step}`, options);
      await page.getByRole('region', { name: 'Checks' }).waitFor();
      for (const summary of await page.locator('.trace summary').all()) await summary.click();
      await check(page, trace.name, rules);
      await page.context().close();
    }
    await list.keyboard.press('Escape');
    await list.keyboard.press('Escape');
    await list.getByRole('combobox').fill('e');
    await list.getByRole('option', { name: /Email Classifier/ }).waitFor();
    await check(list, 'suggestions', rules);
    await list.context().close();
    const empty = await infinium.page('/?name=nothing', options);
    await empty.getByText('No trace matches').waitFor();
    await check(empty, 'no match', rules);
  });

  test(`axe finds nothing in filters, overview, agents and prompts, ${colorScheme}`, { timeout: TIMEOUT }, async () => {
    const filtered = await infinium.page('/?name=Email+Classifier&min_duration=0.1&range=15m', options);
    await filtered.locator('.strip .surface').waitFor();
    await filtered.getByRole('button', { name: 'Traces over time as a table' }).click();
    await check(filtered, 'chips and the strip as a table', rules);
    await filtered.getByRole('button', { name: 'Custom…' }).click();
    await check(filtered, 'time range', rules);
    const overview = await infinium.page('/overview?range=15m', options);
    await overview.getByRole('region', { name: 'Names' }).waitFor();
    await check(overview, 'overview', rules);
    await overview.getByRole('button', { name: 'Duration as a table' }).click();
    await check(overview, 'overview, a table', rules);
    const agents = await infinium.page('/agents', options);
    await agents.getByRole('cell', { name: 'may send' }).first().waitFor();
    await check(agents, 'agents', rules);
    await agents.getByLabel('Name').first().fill(`Another ${colorScheme}`);
    await agents.getByRole('button', { name: 'Create agent' }).click();
    await agents.getByText('This is shown once').waitFor();
    await check(agents, 'a secret', rules);
    await agents.getByRole('button', { name: 'Revoke examples' }).click();
    await check(agents, 'revoke?', rules);
    const prompts = await infinium.page('/prompts', options);
    await prompts.getByRole('button', { name: 'classify', exact: true }).click();
    await prompts.getByRole('region', { name: 'Version 1' }).waitFor();
    await check(prompts, 'prompts', rules);
    for (const page of [filtered, overview, agents, prompts]) await page.context().close();
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
    const places = { '/': '.table-body [role=row]', '/overview': '.plot', '/agents': '.records', [`/traces/${risky.trace_id}`]: '.waterfall', [`/traces/${research.trace_id}?step=3`]: '.waterfall' };
    const page = await infinium.page('/', { viewport: { width, height } });
    for (const [path, there] of Object.entries(places)) {
      await page.goto(infinium.receiver.url + path);
      await page.locator(there).first().waitFor();
      const over = await page.evaluate(() =>
        [document.documentElement, ...document.querySelectorAll('.trace, .overview-body, .manage')].filter((element) => element.scrollWidth > element.clientWidth).map((element) => element.className || 'document'),
      );
      assert.deepEqual(over, [], path);
    }
    await page.context().close();
  });
}
