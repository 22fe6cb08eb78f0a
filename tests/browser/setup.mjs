// What every browser test stands on: the real receiver in a directory of its own, an agent, and a Chromium whose pages
// report everything that must not happen (errors, policy violations, requests to other hosts).
//
// Environment: INFINIUM or INFINIUM_BIN, the command under test; INFINIUM_CHROMIUM or CHROMIUM, the browser.
import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { chromium } from 'playwright-core';

export const TIMEOUT = 60_000; // ms, every test
export const SOON = 10_000; // ms, for something to appear

const INFINIUM = process.env.INFINIUM_BIN ?? process.env.INFINIUM ?? 'infinium';

/** The distribution's browser as scripts/deps.sh looks for it; undefined: the one that playwright-core has downloaded. */
function findChromium() {
  const named = process.env.INFINIUM_CHROMIUM || process.env.CHROMIUM;
  if (named) return named;
  for (const name of ['chromium', 'google-chrome-stable', 'google-chrome', 'chrome', 'chromium-browser']) {
    for (const folder of (process.env.PATH ?? '').split(':')) {
      const path = join(folder, name);
      if (folder && existsSync(path) && spawnSync(path, ['--version'], { timeout: 20_000 }).status === 0) return path;
    }
  }
  return undefined;
}
const CHROMIUM = findChromium();

class Receiver {
  constructor(options) {
    this.options = options;
    this.data = mkdtempSync(join(tmpdir(), 'infinium-browser-'));
    this.listen = '127.0.0.1:0';
  }

  async start() {
    this.process = spawn(INFINIUM, ['serve', '--data', this.data, '--listen', this.listen, ...this.options], { stdio: ['ignore', 'pipe', 'pipe'] });
    let said = '';
    this.process.stderr.on('data', (text) => (said += text));
    this.ended = new Promise((resolve) => this.process.once('exit', resolve));
    const lines = createInterface({ input: this.process.stdout });
    await new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`the receiver did not say where it listens: ${said}`)), 20_000);
      this.process.once('error', reject);
      this.ended.then((code) => reject(new Error(`the receiver ended with ${code}: ${said}`)));
      lines.on('line', (line) => {
        const listening = /^listening on (http:\/\/\S+)/.exec(line);
        if (listening) this.url = listening[1];
        const link = /(http:\/\/\S+\/login\?token=\S+)/.exec(line);
        if (link) this.link = link[1];
        if (this.url && this.link) {
          clearTimeout(timer);
          resolve();
        }
      });
    });
    this.listen = new URL(this.url).host;
  }

  createAgent(name = 'examples') {
    const printed = execFileSync(INFINIUM, ['agent', 'create', name, '--data', this.data, '--json'], { encoding: 'utf8', timeout: 20_000 });
    this.agent = JSON.parse(printed);
  }

  /** The answer to traces that an agent sends on the batch wire. */
  post(agent, secret, traces) {
    return fetch(`${this.url}/api/v1/agents/${agent}/traces`, {
      method: 'POST',
      headers: { 'x-agent-id': agent, 'x-agent-key': secret, 'content-type': 'application/x-ndjson' },
      body: traces.map((trace) => `${JSON.stringify(trace)}\n`).join(''),
    });
  }

  /** Sends traces; returns when they are durable. */
  async send(...traces) {
    const answer = await this.post(this.agent.agent_id, this.agent.agent_secret, traces);
    const body = await answer.json();
    assert.equal(answer.status, 200, JSON.stringify(body));
    assert.deepEqual(body.rejected, [], 'no line is refused');
    return body;
  }

  /** A request to the API as an administrator's script makes it. */
  async api(method, path, body) {
    const authorization = `Bearer ${readFileSync(join(this.data, 'admin.token'), 'utf8').trim()}`;
    const answer = await fetch(`${this.url}/api/v1${path}`, {
      method,
      headers: { authorization, 'content-type': 'application/json' },
      ...(body && { body: JSON.stringify(body) }),
    });
    assert.ok(answer.ok, `${method} ${path}: ${answer.status} ${await answer.clone().text()}`);
    return answer.status === 204 ? null : answer.json();
  }

  async stop() {
    this.process.kill('SIGTERM');
    const timer = setTimeout(() => this.process.kill('SIGKILL'), 15_000);
    await this.ended;
    clearTimeout(timer);
  }
}

/** A receiver (with these options of `infinium serve`) with an agent, a browser and what both need to end. Call close() in after(). */
export async function open(...options) {
  const receiver = new Receiver(options);
  let browser;
  try {
    await receiver.start();
    receiver.createAgent();
    browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox', '--disable-dev-shm-usage'] });
  } catch (error) {
    receiver.process?.kill('SIGKILL');
    rmSync(receiver.data, { recursive: true, force: true });
    throw error;
  }

  // One log-in for all pages of a file: the link works once.
  let cookies = null;
  async function context(options = {}) {
    const made = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
    made.setDefaultTimeout(SOON);
    if (!cookies) {
      const page = await made.newPage();
      await page.goto(receiver.link);
      cookies = await made.cookies();
      await page.close();
    }
    await made.addCookies(cookies);
    return made;
  }

  /** A logged-in page at `path`. `page.problems` must be empty at the end: noProblems(page). */
  async function page(path = '/', options = {}) {
    const made = watch(await (await context(options)).newPage(), receiver.url);
    await made.goto(receiver.url + path);
    return made;
  }

  return {
    receiver,
    browser,
    page,
    async close() {
      await browser.close();
      await receiver.stop();
      rmSync(receiver.data, { recursive: true, force: true });
    },
  };
}

/** Records in page.problems whatever a page must never do. */
export function watch(page, origin) {
  page.problems = [];
  page.on('pageerror', (error) => page.problems.push(`error: ${error.message}`));
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) page.problems.push(`console: ${message.text()} ${message.location().url}`);
  });
  page.on('dialog', (dialog) => {
    page.problems.push(`dialog: ${dialog.message()}`);
    dialog.dismiss();
  });
  page.on('request', (request) => new URL(request.url()).origin === origin || page.problems.push(`another host: ${request.url()}`));
  return page;
}

/** The end of a page: nothing went wrong in it. */
export async function noProblems(page) {
  await page.context().close();
  assert.deepEqual(page.problems, []);
}

/** Waits until `question` (in Node) is true. */
export async function until(question, what) {
  const end = Date.now() + SOON;
  while (!(await question())) {
    assert.ok(Date.now() < end, `within ${SOON} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

export const rows = (page) => page.locator('.table-body [role=row]');
export const row = (page, id) => page.locator(`[data-id="${id}"]`);
export const live = (page) => page.locator('.live-live').waitFor();
