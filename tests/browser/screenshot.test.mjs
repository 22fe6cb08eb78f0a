// The README's picture: the list with a trace beside it. Written to docs/ only when UPDATE_SCREENSHOT=1.
import assert from 'node:assert/strict';
import { mkdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import * as demo from './demo_traces.mjs';
import { live, noProblems, open, row, TIMEOUT } from './setup.mjs';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const FOLDER = join(ROOT, process.env.UPDATE_SCREENSHOT === '1' ? 'docs' : 'build');

let infinium;
before(async () => (infinium = await open()), { timeout: TIMEOUT });
after(() => infinium?.close(), { timeout: TIMEOUT });

test('screenshot', { timeout: TIMEOUT }, async () => {
  const shown = demo.research(33);
  // A day of work before it, more of it in the afternoon.
  const day = Array.from({ length: 700 }, (_, i) => 800 + i * 120 * (1 + 0.6 * Math.sin(i / 110)));
  await infinium.receiver.send(...day.map((ago, i) => (i % 23 === 3 ? demo.risky(ago) : i % 11 === 1 ? demo.research(ago) : i % 5 === 2 ? demo.moderator(ago) : demo.email(i, ago))));
  await infinium.receiver.send(...demo.seed().filter((trace) => trace.name !== 'Research Agent'), demo.running(6), shown);
  const page = await infinium.page('/', { deviceScaleFactor: 2 });
  await live(page);
  await page.locator('.strip .surface').waitFor();
  await row(page, shown.trace_id).getByRole('link').click();
  await page.locator('.waterfall li button').nth(2).click();
  await page.mouse.move(0, 0);
  await page.waitForTimeout(200);
  mkdirSync(FOLDER, { recursive: true });
  const path = join(FOLDER, 'screenshot.png');
  await page.screenshot({ path });
  assert.ok(statSync(path).size > 50_000);
  await noProblems(page);
});
