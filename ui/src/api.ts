// The receiver's read API (docs/wire.md, "Reading") as types and three calls. Everything in an answer is data that
// somebody sent: it is only ever shown as text.

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

export interface Trace extends Summary {
  description?: string;
  duration?: number;
  input_summary?: string;
  output_summary?: string;
  steps?: Step[];
  errors?: TraceError[];
  llm_usage?: { calls?: LlmCall[] } & Record<string, unknown>;
  tags?: string[];
  session_id?: string;
  user_id?: string;
  scores?: { name?: string; value?: number; comment?: string }[];
  metadata?: Record<string, unknown>;
  environment?: Record<string, unknown>;
  received_at?: string;
}

export interface Agent {
  agent_id: string;
  name: string;
  created_at: string;
  revoked: boolean;
}

export interface Filter {
  status?: string;
  name?: string;
  agent?: string;
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

async function get<T>(path: string, signal?: AbortSignal): Promise<T> {
  let answer: Response;
  try {
    answer = await fetch(`/api/v1${path}`, { signal: signal ?? null, headers: { accept: 'application/json' } });
  } catch (reason) {
    if (signal?.aborted) throw reason;
    throw new ApiError(0, 'The receiver does not answer.');
  }
  if (answer.ok) return (await answer.json()) as T;
  if (answer.status === 401) loggedOut();
  const body = (await answer.json().catch(() => null)) as { error?: unknown } | null;
  throw new ApiError(answer.status, typeof body?.error === 'string' ? body.error : `The receiver answered ${answer.status}.`);
}

export interface ListQuery extends Filter {
  from?: string;
  to?: string;
  cursor?: string | undefined;
  limit?: number;
}

export function listTraces(query: ListQuery, signal?: AbortSignal) {
  const parameters = new URLSearchParams();
  for (const [key, value] of Object.entries(query)) if (value) parameters.set(key, String(value));
  return get<{ traces: Summary[]; next_cursor: string | null }>(`/traces?${parameters}`, signal);
}

export const getTrace = (id: string, signal?: AbortSignal) => get<Trace>(`/traces/${encodeURIComponent(id)}`, signal);
export const listAgents = () => get<{ agents: Agent[] }>('/agents');

/** Whether there is a session: false means that somebody has to log in; throws when the receiver cannot say. */
export async function session(): Promise<boolean> {
  try {
    await get('/session');
    return true;
  } catch (error) {
    if (error instanceof ApiError && error.status === 401) return false;
    throw error;
  }
}
