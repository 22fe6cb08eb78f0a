// Traces as the example programs send them (batch wire), for the tests and the README's screenshot.
import { randomBytes } from 'node:crypto';

export const newId = () => randomBytes(16).toString('hex');

const TRACEBACK = `Traceback (most recent call last):
  File "/srv/app/examples/risky_operation.py", line 31, in do_something
    return charge(order)
           ^^^^^^^^^^^^^
  File "/srv/app/examples/billing.py", line 74, in charge
    answer = session.post(url, json=order, timeout=2.0)
             ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
  File "/srv/app/.venv/lib/python3.11/site-packages/httpx/_client.py", line 1144, in post
    return self.request(
           ^^^^^^^^^^^^^
  File "/srv/app/.venv/lib/python3.11/site-packages/httpx/_client.py", line 825, in request
    return self.send(request, auth=auth, follow_redirects=follow_redirects)
           ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
  File "/srv/app/examples/billing.py", line 58, in check
    raise ValueError("something went wrong")
ValueError: something went wrong
`;

const environment = { python_version: '3.11.7', sdk_version: '0.1.0' };

/** One trace's body. `ago`: seconds before now at which it started; `duration`: seconds. */
export function trace({ name, function: fn = 'run', ago = 0, duration, input, output, calls = [], steps = [], error, ...extra }) {
  const started = Date.now() - ago * 1000;
  const nanoseconds = Math.round(duration * 1e9);
  const body = {
    trace_id: newId(),
    name,
    description: `Auto-traced call to ${fn}`,
    current_datetime: new Date(started + duration * 1000).toISOString(),
    duration: Number(duration.toFixed(3)),
    started_at: new Date(started).toISOString().replace('Z', '123456Z'),
    duration_ns: nanoseconds,
    input_summary: input,
    ...(output === undefined ? {} : { output_summary: output }),
    environment,
    ...extra,
  };
  const failure = error && { error_type: error.type, message: error.message, recoverable: false, retry_count: 0, stack_trace: error.stack };
  const first = { step_number: 1, action: 'execution', description: `Execute ${fn}`, start_ns: 0, duration_ms: Math.round(duration * 1000) };
  if (output !== undefined) first.output_preview = output.slice(0, 1500);
  if (failure) {
    first.error = failure;
    body.errors = [failure];
  }
  const watched = calls.map((call) => ({
    action: 'llm_call',
    description: `openai/${call.model}`,
    start_ns: Math.round(call.start * 1e9),
    duration_ms: call.latency_ms,
    ...(call.input ? { input_preview: call.input, output_preview: call.output } : {}),
    llm_call: {
      model: call.model,
      provider: 'openai',
      request_model: call.model.replace(/-\d{4}-.*/, ''),
      operation: 'chat',
      prompt_tokens: call.prompt,
      completion_tokens: call.completion,
      cached_tokens: call.cached ?? 0,
      latency_ms: call.latency_ms,
      temperature: 0.2,
      finish_reasons: ['stop'],
      stream: call.first !== undefined,
      ...(call.first === undefined ? {} : { time_to_first_chunk_ms: call.first }),
      response_id: `chatcmpl-${newId().slice(0, 12)}`,
    },
  }));
  body.steps = [first, ...steps, ...watched].map((step, i) => ({ ...step, step_number: i + 1 }));
  if (calls.length) {
    const sum = (key) => calls.reduce((total, call) => total + call[key], 0);
    body.llm_usage = {
      model: calls.length > 1 ? 'multiple' : calls[0].model,
      provider: calls.length > 1 ? 'multiple' : 'openai',
      prompt_tokens: sum('prompt'),
      completion_tokens: sum('completion'),
      total_tokens: sum('prompt') + sum('completion'),
      api_calls_count: calls.length,
      total_latency_ms: sum('latency_ms'),
      calls: watched.map((step) => step.llm_call),
    };
  }
  return body;
}

const EMAILS = [
  ['I was charged twice for order 1042, please refund one of them.', 'billing', 'high'],
  ['The export button does nothing in the new version.', 'bug', 'normal'],
  ['Can you add dark mode to the mobile app?', 'feature', 'low'],
  ['My invoice of March shows the wrong VAT number.', 'billing', 'normal'],
  ['Wie kann ich mein Passwort zurücksetzen?', 'account', 'normal'],
  ['Your sync ate three days of my notes!', 'bug', 'high'],
];

const args = (text, kwargs = '') => `{'args': ('${text}',), 'kwargs': {${kwargs}}}`;

export function email(i, ago) {
  const [text, category, priority] = EMAILS[i % EMAILS.length];
  const latency = 380 + ((i * 137) % 420);
  return trace({
    name: i % 3 === 2 ? 'Async Classifier' : 'Email Classifier',
    function: i % 3 === 2 ? 'classify_async' : 'classify_email',
    ago,
    duration: (latency + 9) / 1000,
    input: args(text),
    output: `{'category': '${category}', 'priority': '${priority}', 'confidence': 0.9${i % 9}}`,
    calls: [
      {
        model: 'gpt-4o-2024-08-06',
        start: 0.004,
        latency_ms: latency,
        prompt: 58 + (i % 5) * 7,
        completion: 19 + (i % 4),
        input: `[system] Classify this email. Return JSON.\n[user] ${text}`,
        output: `{"category": "${category}", "priority": "${priority}", "confidence": 0.9${i % 9}}`,
      },
    ],
  });
}

export const risky = (ago) =>
  trace({
    name: 'Risky Operation',
    function: 'do_something',
    ago,
    duration: 0.0421,
    input: "{'args': (), 'kwargs': {'order': {'id': 1042, 'amount': '129.00', 'currency': 'EUR'}}}",
    error: { type: 'ValueError', message: 'something went wrong', stack: TRACEBACK },
  });

export const research = (ago) =>
  trace({
    name: 'Research Agent',
    function: 'research',
    ago,
    duration: 3.412,
    input: args('What are the latest trends in AI?'),
    output:
      "'Three trends stand out. Small models are closing the gap on narrow tasks; agents move from demos to supervised production use; and evaluation becomes a discipline of its own, with traces as its raw material.'",
    tags: ['examples', 'nightly'],
    session_id: 'session-7f3a',
    user_id: 'ada',
    steps: [
      {
        action: 'search_database',
        description: 'Search the index',
        start_ns: 3_000_000,
        duration_ms: 412,
        input_preview: 'latest trends AI',
        output_preview: '[{"title": "Small models, big jobs", "score": 0.93}, {"title": "Agents in production", "score": 0.91}, {"title": "Evaluation as a discipline", "score": 0.88}]',
        tool_call: { tool_name: 'search_database', duration_ms: 412, http_status: 200 },
      },
    ],
    calls: [
      {
        model: 'gpt-4o-2024-08-06',
        start: 0.431,
        latency_ms: 1710,
        first: 402,
        prompt: 1486,
        completion: 351,
        cached: 1024,
        input: '[system] Analyze these results.\n[user] [{"title": "Small models, big jobs", "score": 0.93}, …]',
        output: 'The results agree on three points. First, distilled models of three to eight billion parameters …',
      },
      {
        model: 'gpt-4o-2024-08-06',
        start: 2.19,
        latency_ms: 1204,
        first: 318,
        prompt: 402,
        completion: 118,
        input: '[system] Summarize this analysis.\n[user] The results agree on three points. …',
        output: 'Three trends stand out. Small models are closing the gap on narrow tasks; …',
      },
    ],
  });

export const moderator = (ago, text = 'You people never answer!', verdict = 'ALLOW') =>
  trace({
    name: 'Content Moderator',
    function: 'moderate',
    ago,
    duration: 0.731,
    input: args(text),
    output: `'${verdict}'`,
    calls: [{ model: 'gpt-4o-mini-2024-07-18', start: 0.002, latency_ms: 724, prompt: 41, completion: 3, input: `[user] Moderate this: ${text}`, output: verdict }],
  });

/** Outer and the two inner agents that it called: three traces. */
export function nested(ago) {
  const outer = trace({ name: 'Outer Agent', function: 'outer', ago, duration: 1.92, input: "{'args': (), 'kwargs': {}}", output: "'sub-task data: done'" });
  const inner = (after, duration) =>
    trace({
      name: 'Inner Agent',
      function: 'inner',
      ago: ago - after,
      duration,
      input: args('sub-task data'),
      output: "'done'",
      parent_id: outer.trace_id,
      calls: [{ model: 'gpt-4o-2024-08-06', start: 0.003, latency_ms: Math.round(duration * 1000) - 6, prompt: 220, completion: 44, input: '[user] sub-task data', output: 'done' }],
    });
  return [inner(0.03, 0.88), inner(0.95, 0.94), outer];
}

export const interrupted = (ago) =>
  trace({ name: 'Nightly Digest', function: 'digest', ago, duration: 12.4, input: args('2026-11-22'), status: 'interrupted', steps: [{ action: 'fetch', description: 'Fetch 214 articles', start_ns: 2_000_000, duration_ms: 8_120 }] });

export function running(ago) {
  const body = trace({ name: 'Research Agent', function: 'research', ago, duration: ago, input: args('Compare vector databases'), status: 'running' });
  body.steps = [];
  return body;
}

/** A page full, as after a few minutes of the examples. */
export function seed() {
  const traces = [];
  for (let i = 0; i < 30; i++) traces.push(email(i, 70 + i * 23));
  traces.push(running(6), risky(19), research(33), moderator(48), ...nested(61), interrupted(460));
  traces.push(moderator(205, 'buy cheap watches now', 'BLOCK'), risky(330), research(395));
  return traces;
}
