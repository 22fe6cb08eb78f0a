// Numbers over time: the strip above the list and the overview.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import * as demo from './demo_traces.mjs';
import { live, noProblems, open, row, rows, TIMEOUT, until } from './setup.mjs';

let infinium;
const MINUTE = 60;
// Five traces now, two of them failed, and three an hour and a half earlier.
const late = [demo.research(40), demo.risky(45), demo.risky(50), demo.email(0, 55), demo.moderator(58)];
const early = [demo.email(1, 90 * MINUTE), demo.email(2, 90 * MINUTE + 2), demo.risky(90 * MINUTE + 4)];
before(
  async () => {
    infinium = await open();
    await infinium.receiver.send(...late, ...early);
  },
  { timeout: TIMEOUT },
);
after(() => infinium?.close(), { timeout: TIMEOUT });

const text = async (locator) => (await locator.innerText()).replace(/\s+/g, ' ');

/** The numbers of a plot's table, a row for each interval in which something happened. */
async function numbers(plot) {
  const cells = await plot.locator('tbody tr').evaluateAll((all) => all.map((one) => [...one.querySelectorAll('td')].map((cell) => cell.textContent)));
  return cells.filter(([first]) => first !== '0' && first !== '–' && first !== '$0');
}

test('the strip counts what the list shows, and a dragged range narrows both', { timeout: TIMEOUT }, async () => {
  const page = await infinium.page();
  const strip = page.getByRole('figure', { name: 'Traces over time' });
  await strip.getByText('8', { exact: true }).waitFor();
  assert.match(await text(strip.locator('.legend')), /traces 8 errors 3 \(38 %\) p50 \d.* p95 \d/);
  await until(async () => (await rows(page).count()) === 8, 'all are listed');

  const box = await strip.locator('.surface').boundingBox();
  // The newest end of a day: the last hour of 24 is a little more than 4 % of the width.
  await page.mouse.move(box.x + box.width - 1, box.y + 10);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * (1 - 0.75 / 24), box.y + 12, { steps: 5 });
  await page.mouse.up();
  await until(async () => (await rows(page).count()) === 5, 'the late ones alone');
  for (const trace of late) assert.equal(await row(page, trace.trace_id).count(), 1);
  await until(async () => /traces 5 errors 2 /.test(await text(strip.locator('.legend'))), 'the plot shows the range');
  assert.ok(new URL(page.url()).searchParams.get('from'));
  await page.goBack();
  await until(async () => (await rows(page).count()) === 8, 'back to the day');
  await noProblems(page);
});

test('a plot is read, and a range chosen, with the keyboard', { timeout: TIMEOUT }, async () => {
  const page = await infinium.page();
  const surface = page.getByRole('slider', { name: 'Traces over time: instant' });
  await surface.waitFor();
  await until(async () => /8/.test(await text(page.locator('.strip .legend'))), 'the numbers are there');
  await surface.focus();
  await page.keyboard.press('End');
  const at = await surface.getAttribute('aria-valuetext');
  assert.match(at, /\d\d:\d\d: traces \d+, errors \d+, p50 /);
  await page.keyboard.press('ArrowLeft');
  assert.notEqual(await surface.getAttribute('aria-valuetext'), at);
  await page.keyboard.press('Shift+ArrowRight');
  await page.keyboard.press('Enter');
  await until(async () => new URL(page.url()).searchParams.has('from'), 'a range');
  await until(async () => (await rows(page).count()) === 5, 'the late ones alone');
  await noProblems(page);
});

test('new traces are counted without a reload', { timeout: TIMEOUT }, async () => {
  const page = await infinium.page('/?name=Nightly+Digest');
  await live(page);
  await page.getByText('No trace matches').waitFor();
  await infinium.receiver.send(demo.interrupted(20));
  const strip = page.getByRole('figure', { name: 'Traces over time' });
  await until(async () => /traces 1 /.test(await text(strip.locator('.legend'))), 'the new one is counted');
  await noProblems(page);
});

test('what the plot cannot be narrowed by is said', { timeout: TIMEOUT }, async () => {
  const page = await infinium.page('/?tag=nightly&q=trends&name=Research+Agent');
  await page.getByText('not narrowed by text, tag').waitFor();
  await noProblems(page);
});

test('the overview has the numbers as sums, plots, tables and rankings', { timeout: TIMEOUT }, async () => {
  const page = await infinium.page('/overview');
  await page.getByRole('figure', { name: 'Traces and errors' }).waitFor();
  const sums = await text(page.locator('.sums'));
  assert.match(sums, /Traces 9 Errors 3 33 % p50 \d+.* p95 3\.\d+ s|Traces 9 Errors 3/);
  const tokens = [...late, ...early].reduce((sum, { llm_usage: usage }) => sum + (usage ? usage.total_tokens : 0), 0);
  assert.ok(sums.includes(`Tokens ${tokens.toLocaleString('en')}`), sums);

  const figure = (name) => page.getByRole('figure', { name, exact: true });
  for (const name of ['Traces and errors', 'Duration', 'Tokens', 'Cost']) {
    await figure(name).getByRole('button', { name: `${name} as a table` }).click();
    const found = await numbers(figure(name));
    assert.ok(found.length >= 2, `${name}: ${JSON.stringify(found)}`);
    if (name !== 'Traces and errors') continue;
    const total = (column) => found.reduce((sum, cells) => sum + Number(cells[column]), 0);
    assert.equal(total(0), 9);
    assert.equal(total(found[0].length - 1), 3);
  }

  const names = page.getByRole('region', { name: 'Names' });
  assert.match(await text(names.getByRole('row').nth(1)), /^Risky Operation 3 3 \(100 %\)/);
  await names.getByRole('button', { name: 'p95' }).click();
  assert.match(await text(names.getByRole('row').nth(1)), /^(Nightly Digest|Research Agent) /);
  assert.match(await text(page.getByRole('region', { name: 'Models' })), /gpt-4o-mini-2024-07-18/);
  await names.getByRole('link', { name: 'Risky Operation' }).click();
  await until(async () => (await rows(page).count()) === 3, 'the list with that name');
  assert.equal(new URL(page.url()).pathname + new URL(page.url()).search, '/?name=Risky+Operation');
  await noProblems(page);
});

test('pointing at one plot shows the same instant in all, and a click opens its traces', { timeout: TIMEOUT }, async () => {
  const page = await infinium.page('/overview?range=1h');
  const surfaces = page.locator('.surface');
  await surfaces.nth(3).waitFor();
  const box = await surfaces.nth(1).boundingBox();
  await page.mouse.move(box.x + box.width / 2, box.y + 40);
  const instants = await page.locator('.plot .at').allInnerTexts();
  assert.equal(instants.length, 4);
  assert.match(instants[0], /\d\d:\d\d/);
  assert.equal(new Set(instants).size, 1);

  // The minute in which a trace that is known began, in an hour of whole minutes.
  const minute = (ms, way) => way(ms / 60_000);
  const earliest = minute(Date.now() - 3_600_000, Math.floor);
  const share = (minute(Date.parse(late[0].started_at), Math.floor) + 0.5 - earliest) / (minute(Date.now(), Math.ceil) - earliest);
  await surfaces.first().scrollIntoViewIfNeeded();
  const first = await surfaces.first().boundingBox();
  await page.mouse.click(first.x + first.width * share, first.y + 40);
  await rows(page).first().waitFor();
  const { pathname, searchParams } = new URL(page.url());
  assert.equal(pathname, '/');
  const [from, to] = ['from', 'to'].map((key) => Date.parse(searchParams.get(key)));
  assert.ok(to - from <= 10 * MINUTE * 1000, `one interval: ${from} ${to}`);
  for (const started of await rows(page).locator('time').evaluateAll((all) => all.map((time) => time.dateTime))) assert.ok(from <= Date.parse(started) && Date.parse(started) < to);
  await noProblems(page);
});

test('where the receiver has no such numbers, the page does without', { timeout: TIMEOUT }, async () => {
  const page = await infinium.page('/agents');
  for (const path of ['stats', 'values']) await page.route(`**/api/v1/${path}?*`, (route) => route.fulfill({ status: 404, json: { error: 'no such path' } }));
  await page.getByRole('link', { name: 'Traces', exact: true }).click();
  await rows(page).first().waitFor();
  await until(async () => (await page.locator('.strip').count()) === 0, 'no plot and no room for one');
  await page.getByRole('combobox', { name: 'Search and filter' }).fill('name: Risky Operation');
  await page.keyboard.press('Enter');
  await until(async () => (await rows(page).count()) === 3, 'filters work without suggestions');
  await page.getByRole('link', { name: 'Overview' }).click();
  await page.getByText('keeps no numbers over time').waitFor();
  assert.deepEqual(page.problems.filter((problem) => !/404/.test(problem)), []);
});
