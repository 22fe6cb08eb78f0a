// Traces: the list, newest first, filling live.
import type { RefObject } from 'preact';
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks';
import type { Agents } from '../agents';
import { type Filter, type Summary, STATUSES } from '../api';
import { absolute, ago, duration, firstLine, integer, money, NONE, short, withoutFrame } from '../format';
import type { TraceList } from '../list';
import { useNow } from '../parts/clock';
import { FilterBar } from '../parts/filterbar';
import { StatusMark } from '../parts/status';
import { Table } from '../parts/table';
import { words } from '../range';
import { address, route } from '../route';
import type { Numbers } from '../stats';
import { useStore } from '../store';
import { FIELDS } from '../suggest';
import { Guide } from './guide';
import { Strip } from './strip';

const NARROW = 640; // pixels of the list's own width: below it a row has two lines
const SAMPLE = 500; // rows that the bars' scale is taken from
const COLUMNS: [string, string][] = [
  ['status', 'Status'],
  ['name', 'Name'],
  ['agent', 'Agent'],
  ['started', 'Started'],
  ['duration', 'Duration'],
  ['tokens', 'Tokens'],
  ['cost', 'Cost'],
  ['model', 'Model'],
  ['preview', 'Input → output'],
];

/** Whether there is room for the list and a trace beside each other. */
export const roomBeside = () => innerWidth >= 1100;

export function open(id: string, replace = false) {
  route.go({ trace: id }, { replace, beside: roomBeside() });
}

function Row({ trace, now, longest, selected, fresh, index }: { trace: Summary; now: number; longest: number; selected: boolean; fresh: boolean; index: number }) {
  const running = trace.status === 'running';
  const seconds = running ? Math.max(0, (now - Date.parse(trace.started_at)) / 1000) : trace.duration_s;
  const total = (trace.prompt_tokens ?? 0) + (trace.completion_tokens ?? 0);
  const click = (event: MouseEvent) => {
    if (event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    if (getSelection()?.type === 'Range') return; // text was being selected
    event.preventDefault();
    open(trace.trace_id, route.place.trace !== null);
  };
  return (
    <div
      class={`row ${selected ? 'selected' : ''} ${fresh ? 'fresh' : ''} row-${trace.status}`}
      role="row"
      aria-rowindex={index + 2}
      data-id={trace.trace_id}
      onClick={click}
    >
      <span class="c-status" role="cell">
        <StatusMark status={trace.status} />
      </span>
      <span class="c-name" role="cell">
        <a href={address(route.at({ trace: trace.trace_id }))} aria-current={selected ? 'true' : undefined}>
          {trace.name || '(no name)'}
        </a>
      </span>
      <span class="c-agent" role="cell">
        {trace.agent_name}
      </span>
      <span class="c-started" role="cell" title={absolute(trace.started_at)}>
        <time dateTime={trace.started_at}>{ago(trace.started_at, now)}</time>
      </span>
      <span class="c-duration" role="cell">
        <span class="meter" aria-hidden="true">
          <span class={seconds > longest * 1.01 ? 'over' : ''} style={{ width: `${Math.min(100, (seconds / longest) * 100)}%` }} />
        </span>
        <span class="number">{duration(seconds)}</span>
      </span>
      <span class="c-tokens number" role="cell" title={total ? `${integer(trace.prompt_tokens)} in, ${integer(trace.completion_tokens)} out` : undefined}>
        {total ? short(total) : NONE}
      </span>
      <span class="c-cost number" role="cell">
        {money(trace.cost_usd)}
      </span>
      <span class="c-model" role="cell">
        {trace.model ?? NONE}
      </span>
      <span class="c-preview" role="cell">
        {trace.status === 'error' && trace.error_type ? (
          <>
            <span class="problem">{trace.error_type}</span> {firstLine(trace.error_message)}
          </>
        ) : (
          <>
            <span class="in">{firstLine(withoutFrame(trace.input_preview))}</span>
            {trace.output_preview && (
              <>
                <span class="arrow"> → </span>
                {firstLine(trace.output_preview)}
              </>
            )}
          </>
        )}
      </span>
    </div>
  );
}

function StatusFilter({ filter }: { filter: Filter }) {
  return (
    <div class="segments" role="group" aria-label="Status">
      {[undefined, ...STATUSES].map((status) => (
        <button type="button" key={status ?? 'all'} aria-pressed={filter.status === status} onClick={() => route.go({ filter: { ...filter, status } }, { replace: true })}>
          {status ? <StatusMark status={status} word /> : 'all'}
        </button>
      ))}
    </div>
  );
}

interface Props {
  list: TraceList;
  numbers: Numbers;
  agents: Agents;
  selected: string | null;
  field: RefObject<HTMLInputElement | null>;
}

export function Traces({ list, numbers, agents, selected, field }: Props) {
  useStore(list);
  useStore(agents);
  const now = useNow();
  const scroller = useRef<HTMLDivElement>(null);
  const panel = useRef<HTMLElement>(null);
  const [narrow, setNarrow] = useState(false);
  useLayoutEffect(() => {
    const observer = new ResizeObserver(([entry]) => setNarrow(entry!.contentRect.width < NARROW));
    observer.observe(panel.current!);
    return () => observer.disconnect();
  }, []);
  const rowHeight = narrow ? 52 : 34;

  // The selected row stays in sight when the selection moves by key.
  useEffect(() => {
    const at = selected ? list.rows.findIndex((row) => row.trace_id === selected) : -1;
    const body = scroller.current;
    if (at < 0 || !body) return;
    const top = at * rowHeight;
    if (top < body.scrollTop) body.scrollTop = top;
    else if (top + rowHeight > body.scrollTop + body.clientHeight) body.scrollTop = top + rowHeight - body.clientHeight;
  }, [selected, rowHeight]);

  // The bars' scale: nine in ten rows fit it, so that one outlier does not make dots of all others.
  const longest = useMemo(() => {
    const all = list.rows
      .slice(0, SAMPLE)
      .map((row) => row.duration_s || 0)
      .sort((a, b) => a - b);
    return Math.max(all[Math.floor(all.length * 0.9)] ?? 0, 1e-6);
  }, [list.rows]);
  const { filter, range } = route.place;
  const filtered = Object.values(list.filter).some(Boolean);
  const back = list.loading ? null : list.lookedBack;
  const empty = list.loaded && list.rows.length === 0 && list.waiting.size === 0 && !list.lookedBack;
  const reveal = () => {
    scroller.current?.scrollTo({ top: 0 });
    list.atTop = true;
    list.reveal();
  };

  return (
    <section class={`traces ${narrow ? 'narrow' : ''}`} ref={panel} aria-label="Traces">
      <FilterBar
        label="Filter traces"
        field={field}
        fields={FIELDS}
        searchable
        agents={agents.all}
        agentName={(id) => list.rows.find((row) => row.agent_id === id)?.agent_name ?? agents.name(id)}
      >
        <StatusFilter filter={filter} />
      </FilterBar>
      {list.error && (
        <p class="problem-line" role="alert">
          {list.error}{' '}
          <button type="button" class="quiet" onClick={() => list.reload()}>
            Try again
          </button>
        </p>
      )}
      {empty && !filtered && list.nothing ? (
        <Guide agents={agents} />
      ) : (
        <>
        {!(empty && !filtered) && <Strip numbers={numbers} filter={filter} narrow={narrow} />}
        <div class="table-frame">
          {list.waiting.size > 0 && (
            <button type="button" class="waiting-rows" onClick={reveal} data-action="reveal">
              <span aria-hidden="true">↑ </span>
              {list.waiting.size >= 1000 ? '1000+' : list.waiting.size} new
            </button>
          )}
          <Table
            label="Traces, newest first"
            columns={COLUMNS}
            rows={list.rows}
            rowHeight={rowHeight}
            scroller={scroller}
            onScroll={(top) => {
              list.atTop = top < rowHeight / 2;
              if (list.atTop && list.waiting.size) list.reveal();
            }}
            onNearEnd={() => list.loadMore()}
            render={(trace, index) => (
              <Row
                key={trace.trace_id}
                trace={trace}
                index={index}
                now={now}
                longest={longest}
                selected={trace.trace_id === selected}
                fresh={list.fresh.has(trace.trace_id)}
              />
            )}
            after={
              <p class="table-end faint" role="presentation">
                {back && (
                  <>
                    Looked back to {absolute(back)}{' '}
                    <button type="button" class="quiet" onClick={() => list.loadMore(true)} data-action="go-on">
                      Go on
                    </button>
                  </>
                )}
                {empty || back ? '' : list.loading ? 'Loading…' : list.loaded && !list.more ? `${integer(list.rows.length)} ${list.rows.length === 1 ? 'trace' : 'traces'}` : ''}
              </p>
            }
          />
          {empty && (
            <div class="nothing">
              <p>
                {filtered ? 'No trace matches these filters' : 'No trace began'} in {words(range)}. New ones that do will appear here.
              </p>
              <p class="actions">
                {filtered && (
                  <button type="button" onClick={() => route.go({ filter: {} })}>
                    Clear filters
                  </button>
                )}
                {range !== 'all' && (
                  <button type="button" onClick={() => route.go({ range: 'all' })}>
                    All time
                  </button>
                )}
              </p>
            </div>
          )}
        </div>
        </>
      )}
    </section>
  );
}
