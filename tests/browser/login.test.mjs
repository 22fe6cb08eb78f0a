import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import * as demo from './demo_traces.mjs';
import { open, row, TIMEOUT, watch } from './setup.mjs';

let infinium;
before(async () => (infinium = await open()), { timeout: TIMEOUT });
after(() => infinium?.close(), { timeout: TIMEOUT });

test('without the cookie nothing is shown, and the link works once', { timeout: TIMEOUT }, async () => {
  const { receiver, browser } = infinium;
  const trace = demo.risky(0);
  await receiver.send(trace);

  for (const path of ['/traces', `/traces/${trace.trace_id}`, '/agents', '/events', '/session']) {
    const answer = await fetch(`${receiver.url}/api/v1${path}`);
    assert.equal(answer.status, 401, path);
    assert.doesNotMatch(await answer.text(), /Risky|something went wrong/);
  }

  const first = await browser.newContext();
  const page = await first.newPage();
  for (const path of ['/', `/traces/${trace.trace_id}`]) {
    await page.goto(receiver.url + path);
    await page.getByRole('heading', { name: 'Log in with a link' }).waitFor();
    assert.doesNotMatch(await page.content(), /Risky|something went wrong/);
  }

  watch(page, receiver.url);
  await page.goto(receiver.link);
  await row(page, trace.trace_id).waitFor();
  assert.equal(new URL(page.url()).pathname + new URL(page.url()).search, '/', 'the token is not in the address any more');
  const [cookie] = await first.cookies();
  assert.equal(cookie.httpOnly, true);
  assert.equal(cookie.sameSite, 'Strict');
  assert.equal(await page.evaluate(() => document.cookie), '');
  assert.deepEqual(page.problems, []);

  const second = await browser.newContext();
  const other = await second.newPage();
  await other.goto(receiver.link);
  await other.goto(receiver.url);
  await other.getByRole('heading', { name: 'Log in with a link' }).waitFor();
  await other.goto(`${receiver.url}/login?token=${'0'.repeat(64)}`);
  await other.goto(receiver.url);
  await other.getByRole('heading', { name: 'Log in with a link' }).waitFor();

  // A session that goes away while the page is open: the page asks for a new link.
  await first.clearCookies();
  await page.getByRole('button', { name: 'error', exact: true }).click();
  await page.getByRole('heading', { name: 'Log in with a link' }).waitFor();
});
