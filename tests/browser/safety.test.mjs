import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import * as demo from './demo_traces.mjs';
import { live, noProblems, open, row, TIMEOUT } from './setup.mjs';

let infinium;
before(async () => (infinium = await open()), { timeout: TIMEOUT });
after(() => infinium?.close(), { timeout: TIMEOUT });

const HOSTILE = [
  '<script>window.ran = 1</script>',
  '<img src=x onerror="window.ran = 2">',
  '<svg onload=window.ran=3><a href="javascript:window.ran=4">click</a></svg>',
  'javascript:window.ran=5',
  '"><iframe srcdoc="<script>parent.ran=6</script>"></iframe>',
  '</title></style></textarea><style>*{display:none!important}</style>',
  '{{constructor.constructor("window.ran=7")()}} ${window.ran=8}',
  '\u202e reversed \u0000 and \u2028 separated',
];
const ALL = HOSTILE.join('\n');

test('whatever a trace holds is shown as text and runs nothing', { timeout: TIMEOUT }, async () => {
  const error = { type: HOSTILE[0], message: ALL, stack: `Traceback (most recent call last):\n  File "${HOSTILE[1]}", line 1\n${ALL}` };
  const trace = demo.trace({
    name: HOSTILE[1],
    function: HOSTILE[0],
    duration: 1,
    input: ALL,
    output: `{'value': '${HOSTILE[0]}'}`,
    error,
    tags: HOSTILE,
    session_id: HOSTILE[3],
    user_id: HOSTILE[1],
    metadata: { [HOSTILE[0]]: ALL, __proto__: 1, constructor: HOSTILE[1] },
    steps: [
      { action: HOSTILE[2], description: ALL, start_ns: 1000, duration_ms: 10, input_preview: ALL, output_preview: ALL, metadata: { [HOSTILE[4]]: HOSTILE[5] } },
      { action: 'tool', description: HOSTILE[5], start_ns: 2000, duration_ms: 10, tool_call: { tool_name: HOSTILE[4], input_summary: ALL, output_summary: ALL } },
    ],
    calls: [{ model: HOSTILE[1], start: 0.1, latency_ms: 5, prompt: 1, completion: 1, input: ALL, output: ALL }],
  });
  const page = await infinium.page();
  await page.evaluate(() => {
    window.violations = [];
    document.addEventListener('securitypolicyviolation', (event) => window.violations.push(event.violatedDirective));
  });
  await live(page);
  await infinium.receiver.send(trace);
  const shown = row(page, trace.trace_id);
  await shown.waitFor();
  assert.ok((await shown.innerText()).includes(HOSTILE[1]), 'the name is text');
  await shown.getByRole('link').click();
  await page.getByRole('heading', { level: 1, name: HOSTILE[1] }).waitFor();

  const nodes = page.locator('.waterfall li button');
  assert.equal(await nodes.count(), 4);
  for (let i = 0; i < 4; i++) {
    await nodes.nth(i).click();
    assert.ok((await page.locator('.node').innerText()).includes('<script>window.ran = 1</script>'), `part ${i} shows its content as text`);
  }
  await page.getByText('Raw record').click();
  for (const details of await page.locator('.trace summary').all()) await details.click();
  await page.waitForTimeout(300);

  const found = await page.evaluate(() => ({
    ran: window.ran ?? null,
    violations: window.violations,
    scripts: document.querySelectorAll('#page script, #page iframe, #page img, #page style, #page [onerror], #page [onload], #page [style*="url"]').length,
    links: [...document.querySelectorAll('a')].map((a) => a.getAttribute('href')).filter((href) => !href.startsWith('/')),
  }));
  assert.deepEqual(found, { ran: null, violations: [], scripts: 0, links: [] });
  await noProblems(page);
});

test('names, tags, sessions and models are text where they are offered, filtered by and ranked', { timeout: TIMEOUT }, async () => {
  const [script, image] = HOSTILE;
  await infinium.receiver.send(
    demo.trace({ name: image, duration: 0.2, input: 'x', output: 'y', tags: [script], session_id: image, user_id: script, calls: [{ model: script, start: 0, latency_ms: 5, prompt: 1, completion: 1 }] }),
  );
  const page = await infinium.page();
  const field = page.getByRole('combobox', { name: 'Search and filter' });
  for (const [name, value] of [['name', image], ['model', script], ['tag', script], ['session', image], ['user', script]]) {
    await field.fill(`${name}: <`);
    await page.getByRole('option').filter({ hasText: value }).first().click();
    await page.locator('.chip', { hasText: value }).first().waitFor();
    await row(page, (await page.locator('.table-body [role=row]').first().getAttribute('data-id'))).waitFor();
  }
  const overview = await infinium.page('/overview');
  await overview.getByRole('region', { name: 'Names' }).getByRole('link', { name: image }).waitFor();
  await overview.getByRole('region', { name: 'Models' }).getByRole('link', { name: script }).waitFor();
  for (const one of [page, overview]) {
    const found = await one.evaluate(() => [window.ran ?? null, document.querySelectorAll('#page script, #page img').length]);
    assert.deepEqual(found, [null, 0]);
    await noProblems(one);
  }
});

test('bodies of unexpected shapes do not break the page', { timeout: TIMEOUT }, async () => {
  const odd = demo.trace({ name: 'Odd', duration: 0.2, input: 'x', output: 'y', metadata: {} });
  odd.steps = [...odd.steps, {}, { step_number: 7, action: '', description: '', llm_call: {} }, { step_number: 7, action: 'same number', description: 'twice', tool_call: {} }];
  odd.environment = {};
  odd.sections = { general: { tags: ['a', { b: null }] } };
  await infinium.receiver.send(odd);
  const page = await infinium.page(`/traces/${odd.trace_id}`);
  await page.getByRole('heading', { level: 1, name: 'Odd' }).waitFor();
  assert.equal(await page.locator('.waterfall li').count(), 4);
  await noProblems(page);
});

test('the page is served with a policy that allows nothing inline', { timeout: TIMEOUT }, async () => {
  for (const path of ['/', `/traces/${demo.newId()}`]) {
    const answer = await fetch(infinium.receiver.url + path);
    assert.equal(answer.status, 200, path);
    const policy = answer.headers.get('content-security-policy') ?? '';
    assert.match(policy, /default-src 'none'/);
    assert.match(policy, /script-src 'self'/);
    assert.doesNotMatch(policy, /unsafe|\*|https?:/);
    assert.equal(answer.headers.get('x-content-type-options'), 'nosniff');
    const html = await answer.text();
    assert.doesNotMatch(html, /<style|style=|<script>|https?:\/\//);
  }
});

test('the first load is small', { timeout: TIMEOUT }, async () => {
  const get = (path) => fetch(infinium.receiver.url + path, { headers: { 'accept-encoding': 'gzip' } });
  const html = await get('/');
  const assets = [...(await html.clone().text()).matchAll(/"(\/assets\/[^"]+)"/g)].map((match) => match[1]);
  assert.equal(assets.length, 3, 'a script, a style, an icon');
  const answers = [html, ...(await Promise.all(assets.map(get)))];
  const sizes = answers.map((answer) => Number(answer.headers.get('content-length')));
  const total = sizes.reduce((a, b) => a + b);
  assert.ok(sizes.every((size) => size > 0) && total < 60_000, `${sizes} bytes`);
  for (const answer of answers.slice(1)) assert.match(answer.headers.get('cache-control'), /immutable/);
});
