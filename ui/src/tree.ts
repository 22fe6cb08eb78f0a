// A trace's body as nodes on one time axis: the trace itself, its steps (with their LLM and tool calls), and the traces
// that it called. This is where the wire's shapes end; views know nodes only.
import type { LlmCall, Step, Summary, ToolCall, Trace, TraceError } from './api';

export type Kind = 'trace' | 'step' | 'llm' | 'tool' | 'child';

export interface Node {
  id: string; // stands in the address as step=
  kind: Kind;
  label: string;
  detail: string;
  depth: number;
  start: number; // seconds since the trace's start
  length: number | null; // seconds; null: not known
  firstChunk: number | null; // seconds since the node's start
  error: TraceError | null;
  failed: boolean;
  input: string | null;
  output: string | null;
  llm: LlmCall | null;
  tool: ToolCall | null;
  metadata: Record<string, unknown> | null;
  child: Summary | null;
}

export interface Tree {
  nodes: Node[];
  length: number; // seconds on the axis, more than 0
  ordered: boolean; // false: starts were not recorded, nodes are laid end to end
}

const text = (value: unknown): string | null => (typeof value === 'string' && value !== '' ? value : null);
const number = (value: unknown): number | null => (typeof value === 'number' && Number.isFinite(value) ? value : null);
const object = (value: unknown) => (value && typeof value === 'object' && !Array.isArray(value) ? (value as Record<string, unknown>) : null);
/** A member that should be an array, as one: a body is whatever somebody sent. */
export const array = <T>(value: T[] | undefined | null): T[] => (Array.isArray(value) ? value.filter((item) => item !== null) : []);

const seconds = (ms: unknown) => {
  const value = number(ms);
  return value === null ? null : value / 1000;
};

/** The step that every decorated function has, "Execute name": the trace's own bar shows it. */
const isWhole = (step: Step) => step.action === 'execution' && /^Execute /.test(text(step.description) ?? '') && !step.llm_call && !step.tool_call;

/** The function's name, when the trace is a decorated function's. */
export function functionName(trace: Trace): string | null {
  const whole = array(trace.steps).find(isWhole);
  return whole ? text(whole.description)!.replace(/^Execute /, '') : null;
}

function stepNode(step: Step, index: number): Node {
  const llm = object(step.llm_call) as LlmCall | null;
  const tool = object(step.tool_call) as ToolCall | null;
  const kind: Kind = llm ? 'llm' : tool ? 'tool' : 'step';
  const action = text(step.action);
  const description = text(step.description);
  const first = llm ? seconds(llm.time_to_first_chunk_ms) : null;
  const label = llm ? (text(llm.model) ?? 'LLM call') : tool ? (text(tool.tool_name) ?? action ?? 'tool') : (action ?? 'step');
  const detail = llm ? (text(llm.purpose) ?? text(llm.provider) ?? '') : (description ?? '');
  const error = (object(step.error) ?? object(tool?.error)) as TraceError | null;
  return {
    id: String(step.step_number ?? index + 1),
    kind,
    label,
    detail: detail.toLowerCase() === label.toLowerCase() ? '' : detail,
    depth: 1,
    start: number(step.start_ns) === null ? Number.NaN : step.start_ns! / 1e9,
    length: seconds(step.duration_ms) ?? seconds(llm?.latency_ms) ?? seconds(tool?.duration_ms),
    firstChunk: first,
    error,
    failed: error !== null,
    input: text(step.input_preview) ?? text(tool?.input_summary),
    output: text(step.output_preview) ?? text(tool?.output_summary),
    llm,
    tool,
    metadata: object(step.metadata),
    child: null,
  };
}

function callNode(call: LlmCall, index: number): Node {
  return stepNode({ step_number: index + 1, llm_call: call }, index);
}

function childNode(child: Summary, trace: Trace): Node {
  return {
    id: child.trace_id,
    kind: 'child',
    label: child.name,
    detail: 'trace',
    depth: 1,
    start: Math.max(0, startOf(child) - startOf(trace)),
    length: child.status === 'running' ? null : child.duration_s,
    firstChunk: null,
    error: null,
    failed: child.status === 'error',
    input: child.input_preview,
    output: child.output_preview,
    llm: null,
    tool: null,
    metadata: null,
    child,
  };
}

/** The models that answered, in the order of their first call. The summary says "multiple" as soon as there are two calls. */
export function models(trace: Trace): string {
  const calls = array(trace.steps).map((step) => object(step.llm_call) as LlmCall | null);
  const named = [...calls, ...array(trace.llm_usage?.calls)].map((call) => text(call?.model)).filter((model) => model !== null);
  return [...new Set(named)].join(', ') || (trace.model ?? '');
}

/** Seconds since 1970 with the nanoseconds that Date.parse drops. */
function startOf(trace: Summary): number {
  const whole = Math.floor(Date.parse(trace.started_at) / 1000);
  const fraction = /\.(\d+)/.exec(trace.started_at)?.[1] ?? '';
  return whole + Number(`0.${fraction || 0}`);
}

/** The traces between the outermost one and this one, outermost first. */
export function above(trace: Trace, family: Summary[]): Summary[] {
  const found: Summary[] = [];
  const byId = new Map(family.map((one) => [one.trace_id, one]));
  for (let id = trace.parent_id; id; ) {
    const parent = byId.get(id);
    if (!parent || found.includes(parent)) break;
    found.unshift(parent);
    id = parent.parent_id;
  }
  return found;
}

/** After each called trace those that it called, deeper by one. */
function withDescendants(nodes: Node[], trace: Trace, callers: Map<string, Summary[]>): Node[] {
  const seen = new Set([trace.trace_id]); // a loop among parents is somebody's mistake, not ours to follow
  const expand = (node: Node): Node[] => {
    if (!node.child || seen.has(node.id)) return [node];
    seen.add(node.id);
    const called = (callers.get(node.id) ?? []).map((child) => ({ ...childNode(child, trace), depth: node.depth + 1 }));
    return [node, ...called.sort((a, b) => a.start - b.start).flatMap(expand)];
  };
  return nodes.flatMap(expand);
}

/** `family`: traces that this one called, and those that they called, in any order; others are left out.
 *  `elapsed`: seconds that a running trace has run. */
export function tree(trace: Trace, family: Summary[], elapsed: number): Tree {
  const steps = array(trace.steps);
  const whole = steps.find(isWhole);
  const root: Node = {
    id: '',
    kind: 'trace',
    label: trace.name,
    detail: functionName(trace) ?? '',
    depth: 0,
    start: 0,
    length: trace.status === 'running' ? elapsed : trace.duration_s,
    firstChunk: null,
    error: array(trace.errors)[0] ?? whole?.error ?? null,
    failed: trace.status === 'error',
    input: text(trace.input_summary),
    output: text(trace.output_summary) ?? text(whole?.output_preview),
    llm: null,
    tool: null,
    metadata: object(trace.metadata),
    child: null,
  };
  let parts = steps.filter((step) => step !== whole).map(stepNode);
  if (!parts.some((node) => node.llm)) parts = parts.concat(array(trace.llm_usage?.calls).map((call, i) => callNode(call, steps.length + i)));

  const ordered = parts.every((node) => !Number.isNaN(node.start));
  if (!ordered) {
    let at = 0;
    for (const node of parts) {
      node.start = at;
      at += node.length ?? 0;
    }
  }
  // A running part reaches to now.
  const end = root.length ?? 0;
  for (const node of parts) if (node.length === null && trace.status === 'running') node.length = Math.max(0, end - node.start);

  const callers = new Map<string, Summary[]>();
  for (const one of family) if (one.parent_id) callers.set(one.parent_id, [...(callers.get(one.parent_id) ?? []), one]);
  let below = parts.concat((callers.get(trace.trace_id) ?? []).map((child) => childNode(child, trace)));
  if (ordered) {
    below.sort((a, b) => a.start - b.start);
    nest(below);
  }
  below = withDescendants(below, trace, callers);
  const length = Math.max(end, ...below.map((node) => node.start + (node.length ?? 0)), 1e-6);
  return { nodes: [root, ...below], length, ordered };
}

/** A call that lies within a step belongs to it: depth by containment, steps only as parents. */
function nest(nodes: Node[]) {
  const open: Node[] = [];
  for (const node of nodes) {
    while (open.length && open.at(-1)!.start + (open.at(-1)!.length ?? 0) < node.start + (node.length ?? 0) - 1e-3) open.pop();
    node.depth = 1 + open.length;
    if (node.kind === 'step' && node.length !== null) open.push(node);
  }
}

/** Round numbers for the axis, in seconds: at most `count` of them, 0 first. */
export function ticks(length: number, count: number): number[] {
  const rough = length / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((candidate) => candidate >= rough) ?? power * 10;
  const found: number[] = [];
  for (let at = 0; at <= length * 1.0001; at += step) found.push(at);
  return found;
}
