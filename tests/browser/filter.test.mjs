// What narrows the list: filters with suggestions, words, the time range.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import * as demo from './demo_traces.mjs';
import { live, noProblems, open, row, rows, TIMEOUT, until } from './setup.mjs';

let infinium;
const HOUR = 3600;
const research = demo.research(40);
const risky = demo.risky(50);
const moderator = demo.moderator(60);
const old = demo.risky(30 * HOUR);
const ancient = demo.email(3, 12 * 24 * HOUR);
before(
  async () => {
    infinium = await open();
    await infinium.receiver.send(demo.email(0, 100), demo.email(1, 110), research, risky, moderator, old, ancient);
  },
  { timeout: TIMEOUT },
);
after(() => infinium?.close(), { timeout: TIMEOUT });

const field = (page) => page.getByRole('combobox', { name: 'Search and filter' });
const search = (page) => new URL(page.url()).search;
const only = (page, trace) => until(async () => (await rows(page).count()) === 1 && (await row(page, trace.trace_id).count()) === 1, `${trace.name} alone`);

test('each filter has suggestions, is a chip, and stands in the address', { timeout: TIMEOUT }, async () => {
  const page = await infinium.page();
  await rows(page).first().waitFor();
  const cases = [
    ['model: gpt-4o-m', /gpt-4o-mini-2024-07-18/, 'model gpt-4o-mini-2024-07-18', '?model=gpt-4o-mini-2024-07-18', moderator],
    ['tag: n', /nightly/, 'tag nightly', '?tag=nightly', research],
    ['session: ', /session-7f3a/, 'session session-7f3a', '?session=session-7f3a', research],
    ['user: a', /ada/, 'user ada', '?user=ada', research],
    ['Resea', /Research Agent/, 'name Research Agent', '?name=Research+Agent', research],
    ['duration: > 3s', /> 3.00 s/, 'duration > 3.00 s', '?min_duration=3', research],
    ['duration: <100ms', /< 100 ms/, 'duration < 100 ms', '?max_duration=0.1', risky],
  ];
  for (const [text, option, chip, address, trace] of cases) {
    await field(page).fill(text);
    await page.getByRole('option', { name: option }).click();
    await only(page, trace);
    assert.equal(search(page), address);
    assert.equal(await field(page).inputValue(), '');
    await page.getByRole('button', { name: `Remove filter ${chip}` }).click();
    await until(async () => (await rows(page).count()) === 5, 'all traces of the day');
    assert.equal(search(page), '');
  }
  await field(page).fill('agent: exam');
  await page.getByRole('option', { name: /examples/ }).click();
  await page.getByRole('button', { name: 'Remove filter agent examples' }).waitFor();
  assert.equal(search(page), `?agent=${infinium.receiver.agent.agent_id}`);
  await noProblems(page);

  const shared = await infinium.page('/?tag=nightly&name=Research+Agent&min_duration=1&max_duration=60');
  await only(shared, research);
  for (const name of ['tag nightly', 'name Research Agent', 'duration 1.00 s – 1 m 00 s']) await shared.getByRole('button', { name: `Remove filter ${name}` }).waitFor();
  await noProblems(shared);
});

test('suggestions are chosen with the keyboard alone', { timeout: TIMEOUT }, async () => {
  const page = await infinium.page();
  await rows(page).first().waitFor();
  await page.keyboard.press('/');
  const options = page.getByRole('option');
  await options.first().waitFor();
  await page.keyboard.type('mod');
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('ArrowDown');
  assert.match(await page.locator('[role=option][aria-selected=true]').innerText(), /model:/);
  assert.equal(await field(page).getAttribute('aria-activedescendant'), await page.locator('[role=option][aria-selected=true]').getAttribute('id'));
  await page.keyboard.press('Enter');
  assert.equal(await field(page).inputValue(), 'model: ');
  await options.filter({ hasText: 'gpt-4o-mini-2024-07-18' }).waitFor();
  await page.keyboard.press('Escape');
  assert.equal(await options.filter({ visible: true }).count(), 0);
  await page.keyboard.press('ArrowDown');
  await options.first().waitFor();
  await page.keyboard.press('ArrowUp');
  await page.keyboard.press('Enter');
  await page.getByRole('button', { name: /^Remove filter model/ }).waitFor();
  await noProblems(page);
});

test('words are searched for in what traces hold, also in those that come in', { timeout: TIMEOUT }, async () => {
  const page = await infinium.page();
  await rows(page).first().waitFor();
  await field(page).fill('trends');
  await page.keyboard.press('Enter');
  await only(page, research);
  assert.equal(search(page), '?q=trends');
  await live(page);
  const another = demo.research(0);
  await infinium.receiver.send(demo.moderator(0), another);
  await row(page, another.trace_id).waitFor();
  assert.equal(await rows(page).count(), 2);
  await page.getByRole('button', { name: 'Remove filter text trends' }).click();
  await until(async () => (await rows(page).count()) > 2, 'everything again');
  await field(page).fill('nobody wrote this');
  await page.keyboard.press('Enter');
  await page.getByText('No trace matches these filters in the last 24 hours').waitFor();
  await noProblems(page);
});

test('a search that takes long says how far it looked, and goes on from there', { timeout: TIMEOUT }, async () => {
  const page = await infinium.page();
  await rows(page).first().waitFor();
  const asked = [];
  await page.route(
    (url) => url.pathname === '/api/v1/traces' && url.searchParams.has('q'),
    async (route) => {
      asked.push(new URL(route.request().url()).searchParams.get('cursor'));
      await new Promise((resolve) => setTimeout(resolve, 300));
      return route.fulfill({ json: { traces: [], next_cursor: `after-${asked.length}`, looked_back_to: '2026-11-20T08:09:10Z' } });
    },
  );
  await field(page).fill('trends');
  await page.keyboard.press('Enter');
  const on = page.getByRole('button', { name: 'Go on' });
  await on.waitFor();
  assert.match(await page.locator('.table-end').innerText(), /^Looked back to 2026-11-20/);
  assert.equal(await page.getByText('No trace matches').count(), 0, 'nobody knows that yet');
  assert.ok(asked.length > 2, 'short pages were followed for a while');
  assert.deepEqual(asked.slice(0, 3), [null, 'after-1', 'after-2']);
  const last = `after-${asked.length}`;
  await page.unrouteAll();
  await page.route(
    (url) => url.pathname === '/api/v1/traces' && url.searchParams.get('cursor') === last,
    async (route) => {
      const url = new URL(route.request().url());
      url.searchParams.delete('cursor');
      return route.fulfill({ response: await route.fetch({ url: url.href }) });
    },
  );
  await on.click();
  await row(page, research.trace_id).waitFor();
  await on.waitFor({ state: 'detached' });
  assert.match(await page.locator('.table-end').innerText(), /^\d+ traces?$/);
  await noProblems(page);
});

test('the time range narrows the list, and stands in the address', { timeout: TIMEOUT }, async () => {
  const page = await infinium.page();
  await row(page, risky.trace_id).waitFor();
  assert.equal(await row(page, old.trace_id).count(), 0, 'a day is the usual range');
  await page.getByRole('button', { name: '7 d', exact: true }).click();
  await row(page, old.trace_id).waitFor();
  assert.equal(await row(page, ancient.trace_id).count(), 0);
  assert.equal(search(page), '?range=7d');
  await page.getByRole('button', { name: 'All', exact: true }).click();
  await row(page, ancient.trace_id).waitFor();

  await page.getByRole('button', { name: 'Custom…' }).click();
  const dialog = page.getByRole('dialog', { name: 'Time range' });
  const local = (trace, after) => {
    const at = new Date(Date.parse(trace.started_at) + after * 1000);
    return new Date(at.getTime() - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 19);
  };
  await dialog.getByLabel('From').fill(local(old, 60));
  await dialog.getByLabel('To').fill(local(old, -60));
  await dialog.getByText('must begin before it ends').waitFor();
  assert.equal(await dialog.getByRole('button', { name: 'Show' }).isDisabled(), true);
  await dialog.getByLabel('From').fill(local(old, -60));
  await dialog.getByLabel('To').fill(local(old, 60));
  await dialog.getByRole('button', { name: 'Show' }).click();
  await only(page, old);
  const { searchParams } = new URL(page.url());
  assert.ok(Date.parse(searchParams.get('from')) < Date.parse(old.started_at) && Date.parse(old.started_at) < Date.parse(searchParams.get('to')));
  await live(page);
  await infinium.receiver.send(demo.risky(0));
  await page.waitForTimeout(500);
  assert.equal(await rows(page).count(), 1, 'what happens now is no part of then');
  await page.reload();
  await only(page, old);
  await page.goBack();
  await row(page, ancient.trace_id).waitFor();
  await noProblems(page);
});

test('an empty range offers a longer one, not the first-run guide', { timeout: TIMEOUT }, async () => {
  const from = new Date(Date.now() - 3 * 24 * HOUR * 1000).toISOString();
  const to = new Date(Date.now() - 2 * 24 * HOUR * 1000).toISOString();
  const page = await infinium.page(`/?from=${from}&to=${to}`);
  await page.getByText('No trace began in').waitFor();
  assert.equal(await page.getByText('waiting for the first trace').count(), 0);
  await page.getByRole('button', { name: 'All time' }).click();
  await row(page, ancient.trace_id).waitFor();
  await noProblems(page);
});
