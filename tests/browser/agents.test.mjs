// Agents and keys, made, renewed and revoked on the page; what they are good for is asked of the receiver.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import * as demo from './demo_traces.mjs';
import { noProblems, open, row, TIMEOUT, until } from './setup.mjs';

let infinium;
before(async () => (infinium = await open()), { timeout: TIMEOUT });
after(() => infinium?.close(), { timeout: TIMEOUT });

const ask = async (page, verb) => {
  await page.getByRole('dialog').getByRole('button', { name: verb }).click();
  await page.getByRole('dialog').waitFor({ state: 'detached' });
};
/** The text of a code block of the panel that shows a secret. */
const shown = (page, title) => page.locator('.secret').getByRole('region', { name: title, exact: true }).innerText();
/** Sends a trace; the status that was answered. Keys change within a tenth of a second. */
const send = async (agent, secret) => (await infinium.receiver.post(agent, secret, [demo.moderator(0)])).status;
const read = async (key) => (await fetch(`${infinium.receiver.url}/api/v1/traces`, { headers: { authorization: `Bearer ${key}` } })).status;

test('an agent is created, its secret is shown once, renewed and revoked', { timeout: TIMEOUT }, async () => {
  const page = await infinium.page('/agents');
  const name = 'Mail desk <b>&amp;';
  await page.getByLabel('Name').first().fill(name);
  await page.getByRole('button', { name: 'Create agent' }).click();
  const secret = await shown(page, 'Secret');
  assert.ok(secret.length >= 16);
  const environment = await shown(page, 'Environment');
  const agent = /INFINIUM_AGENT_ID=(\S+)/.exec(environment)[1];
  assert.ok(environment.includes(`INFINIUM_AGENT_SECRET='${secret}'`));
  assert.ok(environment.includes(`INFINIUM_BASE_URL=${infinium.receiver.url}/api/v1`));
  assert.match(await shown(page, 'Python'), /InfiniumClient\(\)/);
  await page.getByRole('button', { name: 'C', exact: true }).click();
  assert.match(await shown(page, 'C'), /inf_open\(&client, NULL\)/);
  await until(async () => (await send(agent, secret)) === 200, 'the new agent sends');

  await page.getByRole('button', { name: 'I have kept it' }).click();
  await page.getByRole('cell', { name: agent }).waitFor();
  await page.reload();
  await page.getByRole('cell', { name: agent }).waitFor();
  assert.ok(!(await page.content()).includes(secret), 'shown once');

  await page.getByRole('button', { name: `New secret for ${name}` }).click();
  await ask(page, 'Make a new secret');
  const renewed = await shown(page, 'Secret');
  assert.notEqual(renewed, secret);
  await until(async () => (await send(agent, renewed)) === 200, 'the new secret works');
  assert.equal(await send(agent, secret), 200, 'the old one goes on for an hour');

  await page.getByRole('button', { name: `New secret for ${name}` }).click();
  await page.getByRole('dialog').getByLabel('The old one ends').selectOption('at once');
  await ask(page, 'Make a new secret');
  await until(async () => (await shown(page, 'Secret')) !== renewed, 'another secret');
  const last = await shown(page, 'Secret');
  await until(async () => (await send(agent, renewed)) === 401, 'the old one ends at once');
  assert.equal(await send(agent, last), 200);

  await page.getByRole('button', { name: `Revoke ${name}` }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Cancel' }).click();
  assert.equal(await send(agent, last), 200, 'a question, not yet an answer');
  await page.getByRole('button', { name: `Revoke ${name}` }).click();
  await ask(page, 'Revoke');
  await page.getByRole('row', { name: agent }).getByText('revoked').waitFor();
  await until(async () => (await send(agent, last)) === 401, 'it sends no more');

  await page.getByRole('link', { name }).click();
  await until(async () => new URL(page.url()).searchParams.get('agent') === agent, 'its traces');
  await page.locator('.table-body [role=row]').first().waitFor();
  await noProblems(page);
});

test('keys are created, renewed and revoked', { timeout: TIMEOUT }, async () => {
  const page = await infinium.page('/agents');
  const keys = page.getByRole('region', { name: 'Keys', exact: true });
  const form = keys.getByRole('form', { name: 'Create a key' });
  await form.getByLabel('Name').fill('Dashboard');
  await form.getByLabel('Ends').selectOption('in 30 days');
  await form.getByRole('button', { name: 'Create key' }).click();
  const key = await shown(page, 'Key');
  assert.match(key, /^inf_r_/);
  assert.equal(await read(key), 200);
  await page.getByRole('button', { name: 'I have kept it' }).click();
  const line = keys.getByRole('row', { name: /Dashboard/ });
  assert.match(await line.innerText(), /read\s+all agents/);

  await keys.getByRole('button', { name: 'New key for Dashboard' }).click();
  await page.getByRole('dialog').getByLabel('The old one ends').selectOption('at once');
  await ask(page, 'Make a new key');
  const renewed = await shown(page, 'Key');
  assert.equal(await read(renewed), 200);
  assert.equal(await read(key), 401);

  for (const button of await keys.getByRole('button', { name: 'Revoke Dashboard' }).all()) {
    if (!(await button.isVisible())) continue;
    await button.click();
    await ask(page, 'Revoke');
  }
  await until(async () => (await read(renewed)) === 401, 'it reads no more');
  await noProblems(page);
});

test('prompts are listed with what their versions say', { timeout: TIMEOUT }, async () => {
  const { prompt_id: id } = await infinium.receiver.api('POST', '/prompts', { name: 'classify', content: 'Classify: <b>{text}</b>' });
  await infinium.receiver.api('POST', `/prompts/${id}/versions`, { content: 'Classify this: {text}' });
  const page = await infinium.page('/prompts');
  await page.getByRole('cell', { name: id }).waitFor();
  await page.getByRole('button', { name: 'classify', exact: true }).click();
  const prompt = page.getByRole('region', { name: 'Prompt classify' });
  assert.equal(await prompt.getByRole('region', { name: 'Version 2' }).innerText(), 'Classify this: {text}');
  await prompt.getByLabel('Version').first().selectOption({ index: 1 });
  assert.equal(await prompt.getByRole('region', { name: 'Version 1' }).innerText(), 'Classify: <b>{text}</b>');
  await noProblems(page);
});

test('what is refused is said', { timeout: TIMEOUT }, async () => {
  const page = await infinium.page('/agents');
  await page.getByLabel('Name').first().fill('x'.repeat(200));
  await page.evaluate(() => document.querySelector('input[name=name]').removeAttribute('maxlength'));
  await page.getByLabel('Name').first().fill('x'.repeat(5000));
  await page.getByRole('button', { name: 'Create agent' }).click();
  await page.getByRole('alert').waitFor();
  assert.equal(await page.locator('.secret').count(), 0);
});

test('who only reads is not offered what only administrators may', { timeout: TIMEOUT }, async () => {
  const page = await infinium.page();
  const asReader = async (route) => {
    const answer = await route.fetch();
    await route.fulfill({ response: answer, json: { ...(await answer.json()), role: 'read' } });
  };
  await page.route('**/api/v1/session', asReader); // the receiver opens no session for readers; the page is ready for one
  await page.goto(`${infinium.receiver.url}/agents`);
  await page.getByText('Agents and keys are for administrators').waitFor();
  const views = await page.getByRole('navigation').getByRole('link').allInnerTexts();
  assert.deepEqual(views, ['Traces', 'Overview', 'Prompts']);
  await noProblems(page);
});

test('who logs out is out', { timeout: TIMEOUT }, async () => {
  const trace = demo.risky(0);
  await infinium.receiver.send(trace);
  const page = await infinium.page();
  await row(page, trace.trace_id).waitFor();
  const cookies = await page.context().cookies();
  await page.getByRole('button', { name: 'Log out' }).click();
  await page.getByRole('heading', { name: 'Log in with a link' }).waitFor();
  const answer = await fetch(`${infinium.receiver.url}/api/v1/traces`, { headers: { cookie: cookies.map(({ name, value }) => `${name}=${value}`).join('; ') } });
  assert.equal(answer.status, 401, 'the session has ended, not only its cookie');
  await page.goto(infinium.receiver.url);
  await page.getByRole('heading', { name: 'Log in with a link' }).waitFor();
});
