// One trace: the error first, then where the time went, then what went in and came out.
import { useEffect, useMemo, useState } from 'preact/hooks';
import { ApiError, getChecks, getTrace, getTree, type Summary, type Trace } from '../api';
import { type Check, checksOf, type Judgement, judgementOf } from '../checks';
import { absolute, ago, duration, integer, milliseconds, money } from '../format';
import { useNow } from '../parts/clock';
import { Code } from '../parts/code';
import { Copy } from '../parts/copy';
import { Failure } from '../parts/failure';
import { type Fact, Facts } from '../parts/facts';
import { Judged } from '../parts/judged';
import { Link } from '../parts/link';
import { StatusMark } from '../parts/status';
import { Tokens } from '../parts/tokens';
import { Waterfall } from '../parts/waterfall';
import { route } from '../route';
import { above, array, functionName, models, type Node, tree } from '../tree';

const total = (of: Summary) => (of.prompt_tokens ?? 0) + (of.completion_tokens ?? 0);
const json = (value: unknown) => JSON.stringify(value, null, 2);

interface Loaded {
  trace: Trace | null;
  /** Its whole tree: the outermost trace and all below that, this one included. */
  family: Summary[];
  truncated: boolean;
  checks: Check[];
  judgement: Judgement | null;
  error: string | null;
}
const NOTHING: Loaded = { trace: null, family: [], truncated: false, checks: [], judgement: null, error: null };

const LOOK_AGAIN = 3000; // ms
const LOOKS = 40;

/** While the trace waits for a model's verdict: looks again, for two minutes. */
async function judged(id: string, checks: Record<string, unknown> | null, signal: AbortSignal, show: (judgement: Judgement | null) => void) {
  for (let looks = 0, now = judgementOf(checks); now?.waiting && looks < LOOKS; looks++) {
    await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN));
    if (signal.aborted) return;
    now = judgementOf(await getChecks(id, signal).catch(() => null)) ?? now;
    if (signal.aborted) return;
    show(now);
  }
}

function useTrace(id: string, version: string): Loaded {
  const [loaded, setLoaded] = useState<Loaded & { id: string }>({ ...NOTHING, id: '' });
  useEffect(() => {
    const request = new AbortController();
    const { signal } = request;
    (async () => {
      try {
        const trace = await getTrace(id, signal);
        // What belongs to it comes after it, and takes nothing away while it is on its way.
        setLoaded((was) => ({ ...(was.id === id ? was : NOTHING), id, trace, error: null }));
        const [tree, checks] = await Promise.all([getTree(id, signal), getChecks(id, signal)].map((answer) => answer.catch(() => null)) as [ReturnType<typeof getTree>, ReturnType<typeof getChecks>]);
        if (signal.aborted) return;
        setLoaded({ id, trace, family: array(tree?.traces), truncated: tree?.truncated === true, checks: checksOf(checks), judgement: judgementOf(checks), error: null });
        await judged(id, checks, signal, (judgement) => setLoaded((was) => (was.id === id ? { ...was, judgement } : was)));
      } catch (error) {
        if (signal.aborted) return;
        const message = error instanceof ApiError && error.status === 404 ? 'There is no trace with this id.' : (error as Error).message;
        setLoaded({ ...NOTHING, id, error: message });
      }
    })();
    return () => request.abort();
  }, [id, version]);
  return loaded.id === id ? loaded : NOTHING;
}

function Selected({ node, trace }: { node: Node; trace: Trace }) {
  const call = node.llm;
  const rate = call?.completion_tokens && call.latency_ms ? call.completion_tokens / (call.latency_ms / 1000) : null;
  const facts: Fact[] = call
    ? [
        ['Provider', call.provider],
        ['Model', call.model],
        ['Requested model', call.request_model !== call.model && call.request_model],
        ['Operation', call.operation],
        ['Latency', call.latency_ms !== undefined && milliseconds(call.latency_ms)],
        ['First chunk', call.time_to_first_chunk_ms !== undefined && milliseconds(call.time_to_first_chunk_ms)],
        ['Output rate', rate !== null && `${rate.toFixed(rate < 10 ? 1 : 0)} tokens/s`],
        ['Temperature', call.temperature !== undefined && String(call.temperature)],
        ['Max tokens', call.max_tokens !== undefined && integer(call.max_tokens)],
        ['Streamed', call.stream !== undefined && (call.stream ? 'yes' : 'no')],
        ['Finish', array(call.finish_reasons).join(', ')],
        ['Response id', call.response_id],
      ]
    : [
        ['Duration', node.kind !== 'trace' && node.length !== null && duration(node.length)],
        ['Starts after', node.kind !== 'trace' && duration(node.start)],
        ['Tokens', node.child && total(node.child) > 0 && `${integer(node.child.prompt_tokens)} in, ${integer(node.child.completion_tokens)} out`],
        ['Cost', node.child && node.child.cost_usd !== null && node.child.cost_usd !== undefined && money(node.child.cost_usd)],
        ['HTTP status', node.tool?.http_status !== undefined && String(node.tool.http_status)],
      ];
  return (
    <section class="node" aria-label={`Selected: ${node.label}`}>
      {node.kind !== 'trace' && (
        <header>
          <span class={`dot kind-${node.kind} ${node.failed ? 'failed' : ''}`} />
          <h2>{node.label}</h2>
          {node.detail && <span class="faint">{node.detail}</span>}
        </header>
      )}
      {node.child && (
        <p>
          <Link to={{ trace: node.child.trace_id }}>Open this trace</Link>
        </p>
      )}
      {node.error && node.kind !== 'trace' && <Failure error={node.error} />}
      <Facts facts={facts} />
      {call && <Tokens call={call} />}
      {node.input !== null && <Code title="Input" text={node.input} />}
      {node.output !== null && <Code title="Output" text={node.output} />}
      {node.input === null && node.output === null && node.kind !== 'trace' && !node.child && (
        <p class="note">{call ? 'What was said was not recorded. watch(client, capture_content=True) records it.' : 'No input or output was recorded.'}</p>
      )}
      {node.kind === 'trace' && node.output === null && trace.status === 'ok' && <p class="note">It returned nothing.</p>}
      {node.metadata && Object.keys(node.metadata).length > 0 && <Code title="Metadata" text={json(node.metadata)} />}
    </section>
  );
}

/** The way from the outermost trace to this one; the parent's id alone while nothing more is known. */
function Parents({ trace, parents }: { trace: Trace; parents: Summary[] }) {
  if (parents.length === 0) return <Link to={{ trace: trace.parent_id! }}>{`trace ${trace.parent_id!.slice(0, 8)}`}</Link>;
  return (
    <>
      {parents.map((parent, i) => (
        <span key={parent.trace_id}>
          {i > 0 && <span class="faint"> › </span>}
          <Link to={{ trace: parent.trace_id }}>{parent.name || '(no name)'}</Link>
        </span>
      ))}
    </>
  );
}

function Head({ trace, parents, now, beside, close }: { trace: Trace; parents: Summary[]; now: number; beside: boolean; close: () => void }) {
  const seconds = trace.status === 'running' ? Math.max(0, (now - Date.parse(trace.started_at)) / 1000) : trace.duration_s;
  const input = trace.prompt_tokens ?? 0;
  const output = trace.completion_tokens ?? 0;
  const name = functionName(trace);
  return (
    <header class="trace-head">
      <div class="title">
        <StatusMark status={trace.status} word />
        <h1>{trace.name || '(no name)'}</h1>
        <span class="push" />
        {beside && (
          <button type="button" class="quiet" onClick={() => route.go({ trace: trace.trace_id, step: route.place.step }, { beside: false })}>
            Full page
          </button>
        )}
        <button type="button" class="quiet" onClick={close}>
          {beside ? 'Close' : 'All traces'} <kbd aria-hidden="true">Esc</kbd>
        </button>
      </div>
      {trace.description && !/^Auto-traced call to /.test(trace.description) && <p class="description">{trace.description}</p>}
      <Facts
        class="head-facts"
        facts={[
          ['Duration', <strong class="number">{duration(seconds)}</strong>],
          ['Started', <time dateTime={trace.started_at}>{`${absolute(trace.started_at)} · ${ago(trace.started_at, now)}`}</time>],
          ['LLM calls', trace.llm_calls ? integer(trace.llm_calls) : ''],
          ['Tokens', input + output ? `${integer(input)} in, ${integer(output)} out` : ''],
          ['Cost', trace.cost_usd !== null && trace.cost_usd !== undefined && money(trace.cost_usd)],
          ['Model', models(trace)],
          ['Agent', trace.agent_name],
          ['Function', name && `${name}()`],
          ['Called by', trace.parent_id && <Parents trace={trace} parents={parents} />],
          ['Session', trace.session_id && <Link to={{ view: 'traces', filter: { session: trace.session_id }, range: 'all' }}>{trace.session_id}</Link>],
          ['User', trace.user_id && <Link to={{ view: 'traces', filter: { user: trace.user_id }, range: 'all' }}>{trace.user_id}</Link>],
          ['Tags', array(trace.tags).join(', ')],
          [
            'Id',
            <>
              <code>{trace.trace_id}</code> <Copy text={trace.trace_id} what="trace id" />
            </>,
          ],
        ]}
      />
    </header>
  );
}

interface Props {
  id: string;
  summary: Summary | undefined;
  beside: boolean;
  close: () => void;
}

export function TraceView({ id, summary, beside, close }: Props) {
  // A trace that changes while it is open (it ran, now it has ended) is read again.
  const version = summary ? `${summary.status} ${summary.duration_s} ${summary.llm_calls}` : '';
  const { trace, family, truncated, checks, judgement, error } = useTrace(id, version);
  const now = useNow();
  const running = trace?.status === 'running';
  const elapsed = trace && running ? Math.max(0, (now - Date.parse(trace.started_at)) / 1000) : 0;
  const shape = useMemo(() => (trace ? tree(trace, family, elapsed) : null), [trace, family, elapsed]);
  useEffect(() => {
    document.title = `${trace ? trace.name : 'Trace'} · Infinium`;
  }, [trace]);

  if (error)
    return (
      <section class="trace alone" aria-label="Trace">
        <h1>{error}</h1>
        <p>
          <code>{id}</code>
        </p>
        <button type="button" onClick={close}>
          All traces
        </button>
      </section>
    );
  if (!trace || !shape) return <section class="trace" aria-label="Trace" aria-busy="true" />;

  const node = shape.nodes.find((candidate) => candidate.id === (route.place.step ?? '')) ?? shape.nodes[0]!;
  const errors = array(trace.errors);
  const last = shape.nodes.at(-1);
  return (
    <section class="trace" aria-label={`Trace ${trace.name}`} key={id}>
      <Head trace={trace} parents={above(trace, family)} now={now} beside={beside} close={close} />
      {errors.map((failure, i) => (
        <Failure key={i} error={failure} />
      ))}
      {trace.status === 'interrupted' && (
        <section class="failure interrupted" aria-label="Interrupted">
          <header>
            <h2>Interrupted</h2>
          </header>
          <p class="message">
            The process ended before this trace did.
            {last && last.kind !== 'trace' ? ` The last that it had done: ${last.label}${last.detail ? ` (${last.detail})` : ''}.` : ''}
          </p>
        </section>
      )}
      <div class="trace-body">
        <Waterfall tree={shape} selected={node.id} select={(step) => route.go({ trace: id, step: step || null }, { replace: true })} />
        <Selected key={node.id} node={node} trace={trace} />
        <div class="rest">
          {truncated && <p class="note">This trace belongs to more traces than are shown: the first 1,000 are.</p>}
          <Judged checks={checks} judgement={judgement} scores={array(trace.scores)} />
          <details class="raw">
            <summary>Raw record</summary>
            <Code title="Record" text={json(trace)} />
          </details>
        </div>
      </div>
    </section>
  );
}
