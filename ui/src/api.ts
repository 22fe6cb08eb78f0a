// The receiver's API as types and calls: what is read, and what an administrator changes. Everything in an answer is data
// that somebody sent: it is only ever shown as text.

export type Status = 'ok' | 'error' | 'running' | 'interrupted';
export const STATUSES: Status[] = ['error', 'running', 'interrupted', 'ok'];

export interface Summary {
  trace_id: string;
  parent_id: string | null;
  agent_id: string;
  agent_name: string;
  name: string;
  status: Status;
  started_at: string;
  duration_s: number;
  llm_calls: number;
  prompt_tokens: number | null;
  completion_tokens: number | null;
  model: string | null;
  error_type: string | null;
  error_message: string | null;
  input_preview: string | null;
  output_preview: string | null;
  tags?: string[];
  session_id?: string | null;
  user_id?: string | null;
  cached_tokens?: number | null;
  cache_write_tokens?: number | null;
  reasoning_tokens?: number | null;
  cost_usd?: number | null;
}

export interface TraceError {
  error_type?: string;
  message?: string;
  recoverable?: boolean;
  retry_count?: number;
  stack_trace?: string;
  error_code?: string;
}

export interface LlmCall {
  model?: string;
  provider?: string;
  request_model?: string;
  response_id?: string;
  operation?: string;
  purpose?: string;
  prompt_tokens?: number;
  completion_tokens?: number;
  cached_tokens?: number;
  cache_write_tokens?: number;
  reasoning_tokens?: number;
  latency_ms?: number;
  time_to_first_chunk_ms?: number;
  temperature?: number;
  max_tokens?: number;
  stream?: boolean;
  finish_reasons?: string[];
}

export interface ToolCall {
  tool_name?: string;
  duration_ms?: number;
  input_summary?: string;
  output_summary?: string;
  error?: TraceError;
  http_status?: number;
}

export interface Step {
  step_number?: number;
  action?: string;
  description?: string;
  start_ns?: number;
  duration_ms?: number;
  input_preview?: string;
  output_preview?: string;
  error?: TraceError;
  tool_call?: ToolCall;
  llm_call?: LlmCall;
  metadata?: Record<string, unknown>;
}

export interface Score {
  name?: string;
  value?: unknown;
  comment?: string | null;
  source?: string | null;
  created_at?: string;
}

export interface Trace extends Summary {
  description?: string;
  duration?: number;
  input_summary?: string;
  output_summary?: string;
  steps?: Step[];
  errors?: TraceError[];
  llm_usage?: { calls?: LlmCall[] } & Record<string, unknown>;
  scores?: Score[];
  metadata?: Record<string, unknown>;
  environment?: Record<string, unknown>;
  received_at?: string;
}

export interface Agent {
  agent_id: string;
  name: string;
  created_at: string;
  revoked: boolean;
  last_seen_at?: string | null;
}

export interface Key {
  key_id: string;
  role: string;
  agent_id: string | null;
  name: string | null;
  created_at: string;
  expires_at: string | null;
  revoked: boolean;
  last_used_at: string | null;
}

export interface Prompt {
  prompt_id: string;
  name: string;
  version?: number;
  created_at?: string;
  changed_at?: string | null;
}

export interface PromptVersion {
  version: number;
  created_at: string;
  content: string;
}

export interface Who {
  user?: string;
  role?: string;
  agent_id?: string | null;
  csrf?: string;
}

/** What a list may be narrowed by; the same names in the page's address and in the API's queries. */
export const FILTER_KEYS = ['q', 'status', 'name', 'agent', 'model', 'tag', 'session', 'user', 'min_duration', 'max_duration'] as const;
export type FilterKey = (typeof FILTER_KEYS)[number];
export type Filter = Partial<Record<FilterKey, string | undefined>>;

export interface Bounds {
  from?: string | undefined;
  to?: string | undefined;
}

/** Sums and quantiles of some traces. */
export interface Numbers {
  traces: number;
  errors: number;
  interrupted: number;
  llm_calls: number;
  duration_p50_s: number | null;
  duration_p95_s: number | null;
  duration_p99_s: number | null;
  prompt_tokens: number;
  completion_tokens: number;
  cached_tokens: number;
  cache_write_tokens: number;
  reasoning_tokens: number;
  cost_usd: number | null;
}

export interface Stats {
  from: string;
  to: string;
  interval_s: number;
  totals: Numbers;
  buckets: (Numbers & { start: string })[];
  groups?: (Numbers & { key: string | null })[];
}

/** A failed request. `status` 0: no answer at all. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

let loggedOut = () => {};
/** Called whenever an answer says that the session is not (or no longer) valid. */
export function onLoggedOut(callback: () => void) {
  loggedOut = callback;
}

/** Who is logged in, as the last session() said. */
export let who: Who = {};
export const isAdmin = () => who.role === 'admin';

async function ask<T>(method: string, path: string, { body, signal }: { body?: object; signal?: AbortSignal | undefined } = {}): Promise<T> {
  const headers: Record<string, string> = { accept: 'application/json' };
  if (body) headers['content-type'] = 'application/json';
  // What changes something proves that it comes from this page: another site's page cannot read the value.
  if (method !== 'GET' && who.csrf) headers['x-csrf-token'] = who.csrf;
  let answer: Response;
  try {
    answer = await fetch(`/api/v1${path}`, { method, headers, signal: signal ?? null, body: body ? JSON.stringify(body) : null });
  } catch (reason) {
    if (signal?.aborted) throw reason;
    throw new ApiError(0, 'The receiver does not answer.');
  }
  if (answer.ok) return (answer.status === 204 ? null : await answer.json().catch(() => null)) as T;
  if (answer.status === 401) loggedOut();
  const said = (await answer.json().catch(() => null)) as { error?: unknown } | null;
  throw new ApiError(answer.status, typeof said?.error === 'string' ? said.error : `The receiver answered ${answer.status}.`);
}

const get = <T>(path: string, signal?: AbortSignal) => ask<T>('GET', path, { signal });

/** null where the receiver has no such route, or not for this reader: the page shows nothing there. */
export async function optional<T>(answer: Promise<T>): Promise<T | null> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof ApiError && [403, 404, 405, 501].includes(error.status)) return null;
    throw error;
  }
}

function query(parameters: Record<string, string | number | undefined | null>): string {
  const set = new URLSearchParams();
  for (const [key, value] of Object.entries(parameters)) if (value) set.set(key, String(value));
  return set.toString();
}

const segment = encodeURIComponent;

export interface ListQuery extends Filter, Bounds {
  cursor?: string | undefined;
  limit?: number;
}

/** A page can be short, or empty, and not the last: it then says how far back it looked. */
export interface Page {
  traces: Summary[];
  next_cursor: string | null;
  looked_back_to: string | null;
}

export const listTraces = (wanted: ListQuery, signal?: AbortSignal) => get<Page>(`/traces?${query({ ...wanted })}`, signal);
export const getTrace = (id: string, signal?: AbortSignal) => get<Trace>(`/traces/${segment(id)}`, signal);
export const getTree = (id: string, signal?: AbortSignal) =>
  optional(get<{ root: string; traces: Summary[]; truncated?: boolean }>(`/traces/${segment(id)}/tree`, signal));
export const getChecks = (id: string, signal?: AbortSignal) => optional(get<Record<string, unknown>>(`/traces/${segment(id)}/checks`, signal));
export const getStats = (wanted: Filter & Bounds & { interval?: number; group?: string; limit?: number }, signal?: AbortSignal) =>
  optional(get<Stats>(`/stats?${query({ ...wanted })}`, signal));
export const getValues = (field: string, prefix: string, limit: number, signal?: AbortSignal) =>
  optional(get<{ values: { value: string; traces: number }[] }>(`/values?${query({ field, prefix, limit })}`, signal));

export const listAgents = () => get<{ agents: Agent[] }>('/agents');
export const createAgent = (name: string) => ask<{ agent_id: string; secret: string }>('POST', '/agents', { body: { name } });
export const rotateAgent = (id: string, overlap_s: number) => ask<{ secret: string }>('POST', `/agents/${segment(id)}/keys`, { body: { overlap_s } });
export const revokeAgent = (id: string) => ask<null>('DELETE', `/agents/${segment(id)}`);
export const listKeys = () => optional(get<{ keys: Key[] }>('/keys'));
export const createKey = (wanted: { role: string; agent_id?: string; name?: string; expires_in_s?: number }) =>
  ask<{ key_id: string; key: string }>('POST', '/keys', { body: wanted });
export const rotateKey = (id: string, overlap_s: number) => ask<{ key_id: string; key: string }>('POST', `/keys/${segment(id)}/rotate`, { body: { overlap_s } });
export const revokeKey = (id: string) => ask<null>('DELETE', `/keys/${segment(id)}`);
export const listPrompts = () => optional(get<{ prompts: Prompt[] }>('/prompts'));
/** A prompt with its newest versions. */
export const getPrompt = (id: string, signal?: AbortSignal) => get<Prompt & { versions: PromptVersion[]; next_before: number | null }>(`/prompts/${segment(id)}`, signal);

/** Whether there is a session: false means that somebody has to log in; throws when the receiver cannot say. */
export async function session(): Promise<boolean> {
  try {
    who = (await get<Who>('/session')) ?? {};
    return true;
  } catch (error) {
    if (error instanceof ApiError && error.status === 401) return false;
    throw error;
  }
}

export async function logOut() {
  await ask('DELETE', '/session');
  loggedOut();
}
