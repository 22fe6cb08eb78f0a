import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import * as demo from './demo_traces.mjs';
import { live, noProblems, open, row, rows, TIMEOUT, until } from './setup.mjs';

let infinium;
before(async () => (infinium = await open()), { timeout: TIMEOUT });
after(() => infinium?.close(), { timeout: TIMEOUT });

test('the empty list is the first-run guide, and the first trace replaces it', { timeout: TIMEOUT }, async () => {
  const page = await infinium.page();
  await page.getByText('waiting for the first trace').waitFor();
  await page.getByText(infinium.receiver.agent.agent_id).waitFor();
  await live(page);
  const trace = demo.moderator(0);
  await infinium.receiver.send(trace);
  await row(page, trace.trace_id).waitFor();
  assert.equal(await page.getByText('waiting for the first trace').count(), 0);
  await noProblems(page);
});

test('a trace that is sent while the page is open appears without a reload', { timeout: TIMEOUT }, async () => {
  const page = await infinium.page();
  await live(page);
  await page.evaluate(() => (window.sameDocument = true));
  const trace = demo.email(0, 0);
  await infinium.receiver.send(trace);
  const shown = row(page, trace.trace_id);
  await shown.waitFor();
  const text = await shown.innerText();
  assert.match(text, /Email Classifier/);
  assert.match(text, /389 ms/);
  assert.match(text, /gpt-4o-2024-08-06/);
  assert.match(text, /I was charged twice/);
  assert.equal(await rows(page).first().getAttribute('data-id'), trace.trace_id, 'the newest is on top');
  assert.equal(await page.evaluate(() => window.sameDocument), true);
  await noProblems(page);
});

test('a running trace changes in place when it ends', { timeout: TIMEOUT }, async () => {
  const page = await infinium.page();
  await live(page);
  const begun = demo.running(3);
  await infinium.receiver.send(begun);
  await row(page, begun.trace_id).locator('.status-running').waitFor();
  await infinium.receiver.send({ ...demo.research(3), trace_id: begun.trace_id, started_at: begun.started_at });
  await row(page, begun.trace_id).locator('.status-ok').waitFor();
  assert.equal(await row(page, begun.trace_id).count(), 1);
  await noProblems(page);
});

test('status, name and agent filter, and the address holds them', { timeout: TIMEOUT }, async () => {
  const failed = demo.risky(1);
  await infinium.receiver.send(failed, demo.email(1, 2));
  const page = await infinium.page();
  await page.getByRole('button', { name: 'error', exact: true }).click();
  await row(page, failed.trace_id).waitFor();
  await until(async () => (await page.locator('.row-ok').count()) === 0, 'only errors are listed');
  assert.equal(new URL(page.url()).search, '?status=error');

  const named = await infinium.page('/?name=Email+Classifier');
  await rows(named).first().waitFor();
  for (const text of await rows(named).locator('.c-name').allInnerTexts()) assert.equal(text, 'Email Classifier');
  await live(named);
  await infinium.receiver.send(demo.moderator(0));
  const wanted = demo.email(0, 0);
  await infinium.receiver.send(wanted);
  await row(named, wanted.trace_id).waitFor();
  assert.equal(await named.getByText('Content Moderator').count(), 0, 'live traces are filtered too');
  await named.getByRole('button', { name: 'Remove filter name Email Classifier' }).click();
  await named.getByText('Content Moderator').first().waitFor();
  assert.equal(new URL(named.url()).search, '');

  const field = page.getByRole('combobox', { name: 'Search and filter' });
  await field.fill('name: No Such Name');
  await field.press('Enter');
  await page.getByText('No trace matches').waitFor();
  await page.getByRole('button', { name: 'Clear filters' }).click();
  await rows(page).first().waitFor();
  await noProblems(page);
  await noProblems(named);
});

test('new rows wait while the reader has scrolled, older ones load as they scroll', { timeout: TIMEOUT }, async () => {
  const many = Array.from({ length: 350 }, (_, i) => demo.email(i, 100 + i));
  await infinium.receiver.send(...many);
  const page = await infinium.page();
  await live(page);
  await rows(page).first().waitFor();
  const body = page.locator('.table-body');
  await body.evaluate((element) => (element.scrollTop = 400));
  const top = await rows(page).nth(12).getAttribute('data-id');
  const before = await row(page, top).boundingBox();
  const late = [demo.moderator(0), demo.risky(0)];
  await infinium.receiver.send(...late);
  const button = page.getByRole('button', { name: '2 new' });
  await button.waitFor();
  assert.deepEqual(await row(page, top).boundingBox(), before, 'nothing moves while one reads');
  await button.click();
  await row(page, late[0].trace_id).waitFor();
  assert.equal(await button.count(), 0);

  const last = many.at(-1).trace_id;
  await until(async () => {
    await body.evaluate((element) => (element.scrollTop = element.scrollHeight));
    return (await row(page, last).count()) === 1;
  }, 'the oldest trace comes into sight');
  assert.ok((await rows(page).count()) < 80, 'only rows in sight are in the document');
  await noProblems(page);
});

test('a tab that nobody sees holds no connection, and has caught up when it is seen', { timeout: TIMEOUT }, async () => {
  const page = await infinium.page();
  await live(page);
  const see = (hidden) =>
    page.evaluate((value) => {
      Object.defineProperty(document, 'hidden', { configurable: true, get: () => value });
      document.dispatchEvent(new Event('visibilitychange'));
    }, hidden);
  await see(true);
  const missed = demo.moderator(0);
  await infinium.receiver.send(missed);
  await page.waitForTimeout(400);
  assert.equal(await row(page, missed.trace_id).count(), 0);
  await see(false);
  await row(page, missed.trace_id).waitFor();
  const later = demo.moderator(0);
  await infinium.receiver.send(later);
  await row(page, later.trace_id).waitFor();
  await noProblems(page);
});

test('a lost connection says so and heals by itself', { timeout: TIMEOUT }, async () => {
  const page = await infinium.page();
  await live(page);
  await page.evaluate(() => (window.sameDocument = true));
  await infinium.receiver.stop();
  await page.getByText('connection lost').waitFor();
  await infinium.receiver.start(); // on the same address
  const missed = demo.nested(0);
  await infinium.receiver.send(...missed);
  await page.locator('.live-live').waitFor({ timeout: 30_000 });
  for (const trace of missed) await row(page, trace.trace_id).waitFor();
  assert.equal(await page.evaluate(() => window.sameDocument), true);
  const others = page.problems.filter((problem) => !/ERR_(CONNECTION|EMPTY|INCOMPLETE)/.test(problem));
  assert.deepEqual(others, []);
});
