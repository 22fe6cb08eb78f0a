import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import * as demo from './demo_traces.mjs';
import { live, noProblems, open, row, TIMEOUT } from './setup.mjs';

let infinium;
before(async () => (infinium = await open()), { timeout: TIMEOUT });
after(() => infinium?.close(), { timeout: TIMEOUT });

test('a failed trace shows its error and stack trace first', { timeout: TIMEOUT }, async () => {
  const failed = demo.risky(1);
  await infinium.receiver.send(failed);
  const page = await infinium.page();
  await row(page, failed.trace_id).getByRole('link').click();
  const error = page.getByRole('region', { name: 'Error' });
  await error.getByRole('heading', { name: 'ValueError' }).waitFor();
  const stack = await error.getByRole('region', { name: 'Stack trace' }).innerText();
  assert.match(stack, /risky_operation\.py", line 31, in do_something/);
  assert.match(stack, /ValueError: something went wrong$/);
  assert.doesNotMatch(stack, /httpx/, 'library frames are folded');
  await error.getByText('2 library frames').click();
  assert.match(await error.innerText(), /httpx\/_client\.py", line 1144/);
  assert.equal(new URL(page.url()).pathname, `/traces/${failed.trace_id}`);
  await noProblems(page);
});

test('LLM calls stand in the timeline with model, tokens, latency and first chunk', { timeout: TIMEOUT }, async () => {
  const trace = demo.research(2);
  await infinium.receiver.send(trace);
  const page = await infinium.page(`/traces/${trace.trace_id}`);
  const timeline = page.getByRole('region', { name: 'Timeline' });
  await timeline.getByRole('button', { name: /tool call search_database.*412 ms/ }).waitFor();
  const calls = timeline.getByRole('button', { name: /LLM call gpt-4o-2024-08-06/ });
  assert.equal(await calls.count(), 2);

  // Bars stand where the calls were: the second begins after the first has ended, within the trace's own bar.
  const boxes = await timeline.locator('.bar').evaluateAll((bars) => bars.map((bar) => bar.getBoundingClientRect().toJSON()));
  const [whole, tool, first, second] = boxes;
  assert.ok(tool.right <= first.left + 2 && first.right <= second.left + 2, 'in their order');
  assert.ok(Math.abs(first.width / whole.width - 1.71 / 3.412) < 0.01, 'as long as they took');
  assert.ok(second.right <= whole.right + 1);

  await calls.first().click();
  const node = page.getByRole('region', { name: 'Selected: gpt-4o-2024-08-06' });
  const text = (await node.innerText()).replace(/\s+/g, ' ');
  for (const part of ['Latency 1.71 s', 'First chunk 402 ms', 'Temperature 0.2', 'Tokens 1,837', 'Input, from cache 1,024', 'Input 462', 'Output 351', 'Analyze these results'])
    assert.ok(text.includes(part), `"${part}" in: ${text}`);
  assert.equal(new URL(page.url()).searchParams.get('step'), '3');

  const shared = await infinium.page(new URL(page.url()).pathname + new URL(page.url()).search);
  await shared.getByRole('region', { name: 'Selected: gpt-4o-2024-08-06' }).waitFor();
  assert.match(await shared.locator('.head-facts').innerText(), /1,888 in, 469 out\s+(Cost\s+\$0\.\d+\s+)?Model\s+gpt-4o-2024-08-06/);
  await noProblems(page);
  await noProblems(shared);
});

test('input and output are laid out, and copied as they were sent', { timeout: TIMEOUT }, async () => {
  const trace = demo.trace({
    name: 'Laid out',
    duration: 0.1,
    input: `{'args': ({'first': [1, 2.5, None], 'second': 'with, comma: and "quotes"'},), 'kwargs': {'option': True, 'other': 'x'}}`,
    output: '{"unfinished": ["cut here',
  });
  await infinium.receiver.send(trace);
  const page = await infinium.page(`/traces/${trace.trace_id}`, { permissions: ['clipboard-read', 'clipboard-write'] });
  const input = page.locator('.code', { has: page.getByRole('heading', { name: 'Input' }) });
  assert.equal(
    await input.locator('pre').textContent(),
    `{\n  'args': ({'first': [1, 2.5, None], 'second': 'with, comma: and "quotes"'},),\n  'kwargs': {'option': True, 'other': 'x'}\n}`,
  );
  await input.getByRole('button', { name: 'As sent' }).click();
  assert.equal(await input.locator('pre').textContent(), trace.input_summary);
  await input.getByRole('button', { name: 'Copy input' }).click();
  await input.getByText('Copied').waitFor();
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), trace.input_summary);
  const output = page.locator('.code', { has: page.getByRole('heading', { name: 'Output' }) });
  assert.equal((await output.locator('pre').textContent()).replace(/\s/g, ''), trace.output_summary.replace(/\s/g, ''), 'text that was cut is shown whole');
  await noProblems(page);
});

test('a trace and those that it called are linked both ways', { timeout: TIMEOUT }, async () => {
  const [first, second, outer] = demo.nested(4);
  await infinium.receiver.send(first, second, outer);
  const page = await infinium.page(`/traces/${outer.trace_id}`);
  const called = page.getByRole('button', { name: /called trace Inner Agent/ });
  await called.nth(1).waitFor();
  assert.equal(await called.count(), 2);
  await called.first().click();
  await page.getByRole('link', { name: 'Open this trace' }).click();
  await page.getByRole('heading', { level: 1, name: 'Inner Agent' }).waitFor();
  assert.equal(new URL(page.url()).pathname, `/traces/${first.trace_id}`);
  await page.locator('.head-facts').getByRole('link', { name: 'Outer Agent' }).click();
  await page.getByRole('heading', { level: 1, name: 'Outer Agent' }).waitFor();
  await page.goBack();
  await page.getByRole('heading', { level: 1, name: 'Inner Agent' }).waitFor();
  await noProblems(page);
});

test('what called traces called is in the tree too, and the way up is in the head', { timeout: TIMEOUT }, async () => {
  const [first, second, outer] = demo.nested(30);
  const [inmost] = demo.nested(29.9);
  Object.assign(inmost, { name: 'Inmost Agent', parent_id: first.trace_id, session_id: 'a/b?c' });
  await infinium.receiver.send(first, second, outer, inmost);
  const page = await infinium.page(`/traces/${outer.trace_id}`);
  const labels = page.locator('.waterfall li .label');
  await labels.nth(3).waitFor();
  assert.deepEqual(await labels.locator('.what').allInnerTexts(), ['Outer Agent', 'Inner Agent', 'Inmost Agent', 'Inner Agent']);
  const indents = await labels.evaluateAll((all) => all.map((label) => parseFloat(getComputedStyle(label).paddingLeft) / 14));
  assert.deepEqual(indents, [0, 1, 2, 1]);
  await page.getByRole('button', { name: /called trace Inmost Agent/ }).click();
  await page.getByRole('link', { name: 'Open this trace' }).click();
  await page.getByRole('heading', { level: 1, name: 'Inmost Agent' }).waitFor();
  const head = page.locator('.head-facts');
  await head.getByRole('link', { name: 'Outer Agent' }).waitFor();
  assert.match((await head.innerText()).replace(/\s+/g, ' '), /Called by Outer Agent › Inner Agent/);
  await head.getByRole('link', { name: 'a/b?c' }).click();
  await row(page, inmost.trace_id).waitFor();
  assert.equal(await page.locator('.table-body [role=row]').count(), 1, 'the session is a filter of the list');
  await noProblems(page);
});

test('checks and scores are shown with what they say', { timeout: TIMEOUT }, async () => {
  const run = (ago, duration) => demo.trace({ name: 'Steady', duration, ago, input: 'x', output: 'y' });
  const slow = run(1, 2);
  await infinium.receiver.send(...Array.from({ length: 25 }, (_, i) => run(100 + i, 0.5)), slow);
  await infinium.receiver.api('POST', `/traces/${slow.trace_id}/scores`, { name: 'helpfulness', value: 0.82, comment: 'clear <b>and</b> short' });
  const page = await infinium.page(`/traces/${slow.trace_id}`);
  const checks = page.getByRole('region', { name: 'Checks' });
  await checks.waitFor();
  const first = (await checks.locator('li').first().innerText()).replace(/\s+/g, ' ');
  assert.match(first, /^! (warning: )?Duration 2 s: 4\.0x this name's usual .* Compared with the 25 finished traces/);
  const scores = await page.getByRole('region', { name: 'Scores' }).innerText();
  assert.match(scores.replace(/\s+/g, ' '), /0\.82 helpfulness clear <b>and<\/b> short · from admin/);
  await noProblems(page);
});

test('an open trace that was running shows its end by itself', { timeout: TIMEOUT }, async () => {
  const begun = demo.running(2);
  await infinium.receiver.send(begun);
  const page = await infinium.page(`/traces/${begun.trace_id}`);
  await page.locator('.trace-head .status-running').waitFor();
  await live(page);
  await infinium.receiver.send({ ...demo.research(2), trace_id: begun.trace_id, started_at: begun.started_at });
  await page.locator('.trace-head .status-ok').waitFor();
  await page.getByRole('button', { name: /LLM call/ }).first().waitFor();
  await noProblems(page);
});

test('an interrupted trace says what it had done last', { timeout: TIMEOUT }, async () => {
  const trace = demo.interrupted(20);
  await infinium.receiver.send(trace);
  const page = await infinium.page(`/traces/${trace.trace_id}`);
  const region = page.getByRole('region', { name: 'Interrupted' });
  await region.waitFor();
  assert.match(await region.innerText(), /fetch \(Fetch 214 articles\)/);
  await noProblems(page);
});

test('without recorded starts the parts are laid end to end, and the page says so', { timeout: TIMEOUT }, async () => {
  const trace = demo.research(6);
  for (const step of trace.steps) delete step.start_ns;
  await infinium.receiver.send(trace);
  const page = await infinium.page(`/traces/${trace.trace_id}`);
  await page.getByText('was not recorded: they are laid end to end').waitFor();
  await noProblems(page);
});

test('an id that does not exist says so', { timeout: TIMEOUT }, async () => {
  const page = await infinium.page(`/traces/${demo.newId()}`);
  await page.getByRole('heading', { name: 'There is no trace with this id.' }).waitFor();
  await page.getByRole('button', { name: 'All traces' }).click();
  assert.equal(new URL(page.url()).pathname, '/');
});
