// One trace: the error first, then where the time went, then what went in and came out.
import { useEffect, useMemo, useState } from 'preact/hooks';
import { ApiError, getTrace, listTraces, type Summary, type Trace } from '../api';
import { absolute, ago, duration, integer, milliseconds } from '../format';
import { useNow } from '../parts/clock';
import { Code } from '../parts/code';
import { Copy } from '../parts/copy';
import { Failure } from '../parts/failure';
import { type Fact, Facts } from '../parts/facts';
import { StatusMark } from '../parts/status';
import { Tokens } from '../parts/tokens';
import { Waterfall } from '../parts/waterfall';
import { address, route } from '../route';
import { array, functionName, models, type Node, tree } from '../tree';

const PAGE = 500; // traces a request, when those that a trace called are looked for
const PAGES = 4;

const json = (value: unknown) => JSON.stringify(value, null, 2);

/** Traces that this one called: they started while it ran and name it as their parent. Looks
 *  through the newest PAGES * PAGE traces of that time. */
async function called(trace: Trace, signal: AbortSignal): Promise<Summary[]> {
  const start = Date.parse(trace.started_at);
  const end = trace.status === 'running' ? Date.now() : start + trace.duration_s * 1000;
  const found: Summary[] = [];
  let cursor: string | undefined;
  for (let page = 0; page < PAGES; page++) {
    const answer = await listTraces({ from: trace.started_at, to: new Date(end + 1).toISOString(), limit: PAGE, cursor }, signal);
    found.push(...answer.traces.filter((other) => other.parent_id === trace.trace_id));
    if (!answer.next_cursor) break;
    cursor = answer.next_cursor;
  }
  return found;
}

interface Loaded {
  trace: Trace | null;
  children: Summary[];
  error: string | null;
}

function useTrace(id: string, version: string): Loaded {
  const [loaded, setLoaded] = useState<Loaded & { id: string }>({ id: '', trace: null, children: [], error: null });
  useEffect(() => {
    const request = new AbortController();
    (async () => {
      try {
        const trace = await getTrace(id, request.signal);
        setLoaded((was) => ({ id, trace, children: was.id === id ? was.children : [], error: null }));
        const children = await called(trace, request.signal).catch(() => []);
        if (children.length && !request.signal.aborted) setLoaded({ id, trace, children, error: null });
      } catch (error) {
        if (request.signal.aborted) return;
        const message = error instanceof ApiError && error.status === 404 ? 'There is no trace with this id.' : (error as Error).message;
        setLoaded({ id, trace: null, children: [], error: message });
      }
    })();
    return () => request.abort();
  }, [id, version]);
  return loaded.id === id ? loaded : { trace: null, children: [], error: null };
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
          <TraceLink id={node.child.trace_id}>Open this trace</TraceLink>
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

function TraceLink({ id, children }: { id: string; children: string }) {
  const click = (event: MouseEvent) => {
    if (event.button || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    route.go({ trace: id });
  };
  return (
    <a class="link" href={address({ trace: id, filter: route.place.filter })} onClick={click}>
      {children}
    </a>
  );
}

function Head({ trace, now, beside, close }: { trace: Trace; now: number; beside: boolean; close: () => void }) {
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
          ['Model', models(trace)],
          ['Agent', trace.agent_name],
          ['Function', name && `${name}()`],
          ['Called by', trace.parent_id && <TraceLink id={trace.parent_id}>{`trace ${trace.parent_id.slice(0, 8)}`}</TraceLink>],
          ['Session', trace.session_id],
          ['User', trace.user_id],
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
  const { trace, children, error } = useTrace(id, version);
  const now = useNow();
  const running = trace?.status === 'running';
  const elapsed = trace && running ? Math.max(0, (now - Date.parse(trace.started_at)) / 1000) : 0;
  const shape = useMemo(() => (trace ? tree(trace, children, elapsed) : null), [trace, children, elapsed]);
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
      <Head trace={trace} now={now} beside={beside} close={close} />
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
          {array(trace.scores).length > 0 && <Facts facts={array(trace.scores).map((score) => [score.name ?? 'score', String(score.value ?? ''), score.comment] as Fact)} />}
          <details class="raw">
            <summary>Raw record</summary>
            <Code title="Record" text={json(trace)} />
          </details>
        </div>
      </div>
    </section>
  );
}
