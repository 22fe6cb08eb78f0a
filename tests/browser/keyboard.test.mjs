import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import * as demo from './demo_traces.mjs';
import { noProblems, open, row, rows, TIMEOUT, until } from './setup.mjs';

let infinium;
const traces = [demo.email(0, 1), demo.risky(2), demo.research(3), ...Array.from({ length: 60 }, (_, i) => demo.email(i, 10 + i))];
before(
  async () => {
    infinium = await open();
    await infinium.receiver.send(...traces);
  },
  { timeout: TIMEOUT },
);
after(() => infinium?.close(), { timeout: TIMEOUT });

const path = (page) => new URL(page.url()).pathname;

test('j, k, Enter and Esc walk through the traces', { timeout: TIMEOUT }, async () => {
  const page = await infinium.page();
  await rows(page).first().waitFor();
  await page.keyboard.press('j');
  await page.keyboard.press('j');
  await until(() => row(page, traces[1].trace_id).evaluate((element) => element.contains(document.activeElement)), 'the second row has the focus');
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { level: 1, name: 'Risky Operation' }).waitFor();
  assert.equal(path(page), `/traces/${traces[1].trace_id}`);
  await page.keyboard.press('j');
  await page.getByRole('heading', { level: 1, name: 'Research Agent' }).waitFor();
  await page.keyboard.press('k');
  await page.keyboard.press('ArrowUp');
  await page.getByRole('heading', { level: 1, name: 'Email Classifier' }).waitFor();
  await page.keyboard.press('Escape');
  await until(() => path(page) === '/', 'Esc closes the trace');
  assert.equal(await page.locator('.trace').count(), 0);
  for (let i = 0; i < 30; i++) await page.keyboard.press('j');
  await until(() => row(page, traces[30].trace_id).isVisible(), 'the selection scrolls into sight');
  await noProblems(page);
});

test('/ goes to the filter, ? lists the keys, and both give the keyboard back', { timeout: TIMEOUT }, async () => {
  const page = await infinium.page();
  await rows(page).first().waitFor();
  await page.keyboard.press('/');
  const field = page.getByRole('combobox', { name: 'Search and filter' });
  await until(() => field.evaluate((element) => element === document.activeElement), 'the field has the focus');
  await page.keyboard.type('name: Risky Operation');
  await page.keyboard.press('Enter');
  await until(async () => (await rows(page).count()) === 1, 'one trace has this name');
  assert.equal(await field.inputValue(), '');
  await page.keyboard.press('Escape');
  await page.keyboard.press('?');
  const dialog = page.getByRole('dialog', { name: 'Keys' });
  await dialog.waitFor();
  await page.keyboard.press('Escape');
  await dialog.waitFor({ state: 'detached' });
  await page.keyboard.press('j');
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { level: 1, name: 'Risky Operation' }).waitFor();
  await noProblems(page);
});

test('t and o go from view to view, and the filters go along', { timeout: TIMEOUT }, async () => {
  const page = await infinium.page('/?name=Risky+Operation&range=1h');
  await rows(page).first().waitFor();
  await page.keyboard.press('o');
  await page.getByRole('heading', { level: 1, name: 'Overview' }).waitFor();
  assert.equal(new URL(page.url()).search, '?name=Risky+Operation&range=1h');
  await page.keyboard.press('t');
  await rows(page).first().waitFor();
  assert.equal(path(page), '/');
  assert.equal(new URL(page.url()).search, '?name=Risky+Operation&range=1h');
  await noProblems(page);
});

test('up and down move through the timeline', { timeout: TIMEOUT }, async () => {
  const page = await infinium.page(`/traces/${traces[2].trace_id}`);
  const nodes = page.locator('.waterfall li button');
  await nodes.first().focus();
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('ArrowDown');
  await page.getByRole('region', { name: 'Selected: gpt-4o-2024-08-06' }).waitFor();
  assert.equal(await nodes.nth(2).getAttribute('aria-current'), 'true');
  assert.equal(path(page), `/traces/${traces[2].trace_id}`);
  await noProblems(page);
});

test('every control can be reached with Tab', { timeout: TIMEOUT }, async () => {
  const page = await infinium.page(`/traces/${traces[2].trace_id}`);
  // What comes last on a trace's page are its checks: all controls are there once they were answered.
  await Promise.all([page.waitForResponse(/\/checks$/), page.reload()]);
  await page.locator('.waterfall').waitFor();
  await page.waitForTimeout(300);
  const wanted = await page.locator('.top, .trace').locator('a, button, summary').filter({ visible: true }).count();
  const seen = new Set();
  for (let i = 0; i < wanted * 3; i++) {
    await page.keyboard.press('Tab');
    seen.add(
      await page.evaluate(() => {
        const all = [...document.querySelectorAll('.top a, .top button, .top summary, .trace a, .trace button, .trace summary')];
        return all.indexOf(document.activeElement);
      }),
    );
  }
  seen.delete(-1);
  assert.equal(seen.size, wanted);
});
