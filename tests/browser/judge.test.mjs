// The verdict of a model as judge, on a trace's page. The model is scripted, all else is real.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { after, before, test } from 'node:test';
import * as demo from './demo_traces.mjs';
import { noProblems, open, TIMEOUT } from './setup.mjs';

let infinium;
let server;
let release; // lets the model answer

before(async () => {
  const held = new Promise((resolve) => (release = resolve));
  server = createServer(async (request, response) => {
    let text = '';
    for await (const piece of request) text += piece;
    const refuses = text.includes('Rebel');
    if (text.includes('Patient')) await held;
    const reason = 'The <b>answer</b> is <script>window.hit = 1</script> right.';
    const content = refuses ? 'I will not.' : JSON.stringify({ verdict: 'pass', score: 0.875, reason });
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ model: 'scripted-1', choices: [{ message: { content } }], usage: { prompt_tokens: 1200, completion_tokens: 34 } }));
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const endpoint = `http://127.0.0.1:${server.address().port}/v1`;
  infinium = await open('--judge-endpoint', endpoint, '--judge-model', 'gpt-4o-mini', '--judge-per-minute', '6000');
});

after(async () => {
  await infinium?.close();
  server?.closeAllConnections();
  server?.close();
});

const flat = async (locator) => (await locator.innerText()).replace(/\s+/g, ' ');

async function judged(trace) {
  for (;;) {
    const { result } = await infinium.receiver.api('GET', `/traces/${trace.trace_id}/checks`);
    if (result.judgement && result.judgement.state !== 'waiting') return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

test('a verdict is shown with its score, reason and model, as text', { timeout: TIMEOUT }, async () => {
  const trace = demo.trace({ name: 'Good', duration: 1, input: 'x', output: 'y' });
  await infinium.receiver.send(trace);
  await judged(trace);
  const page = await infinium.page(`/traces/${trace.trace_id}`);
  const panel = page.getByRole('region', { name: 'Judge' });
  await panel.waitFor();
  const said = await flat(panel);
  assert.match(said, /✓ pass, 0\.88 The <b>answer<\/b> is <script>window\.hit = 1<\/script> right\. scripted-1 · .* · 1,200 \+ 34 tokens · \$0\.0002/);
  assert.equal(await panel.locator('.check-pass').count(), 1);
  assert.equal(await page.evaluate(() => window.hit), undefined);
  await noProblems(page);
});

test('an answer that is none says why', { timeout: TIMEOUT }, async () => {
  const trace = demo.trace({ name: 'Rebel', duration: 1, input: 'x', output: 'y' });
  await infinium.receiver.send(trace);
  await judged(trace);
  const page = await infinium.page(`/traces/${trace.trace_id}`);
  const panel = page.getByRole('region', { name: 'Judge' });
  await panel.waitFor();
  assert.match(await flat(panel), /No verdict the model's answer is no JSON: I will not\./);
  await noProblems(page);
});

test('a trace that waits shows its verdict when it comes', { timeout: TIMEOUT }, async () => {
  const trace = demo.trace({ name: 'Patient', duration: 1, input: 'x', output: 'y' });
  await infinium.receiver.send(trace);
  for (let waiting = null; waiting?.state !== 'waiting'; ) waiting = (await infinium.receiver.api('GET', `/traces/${trace.trace_id}/checks`)).result.judgement;
  const page = await infinium.page(`/traces/${trace.trace_id}`);
  const panel = page.getByRole('region', { name: 'Judge' });
  await panel.waitFor();
  assert.match(await flat(panel), /Waits to be judged/);
  release();
  await panel.getByText('pass, 0.88').waitFor();
  await noProblems(page);
});
