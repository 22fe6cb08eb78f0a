// The list of traces as the page holds it: newest first, filled from pages of the API and from live events, bounded.
// While the reader has scrolled, new traces wait (`waiting`) and nothing moves under their eyes.
import { ApiError, type Filter, listTraces, type Summary } from './api';
import { Store } from './store';

const PAGE = 100; // rows a request
const KEPT = 5000; // rows held; older ones are asked for again
const MARKED = 50; // traces of one batch that are marked as new
const WAITING = 1000; // traces that wait; more than that is a reload

const time = (trace: Summary) => Date.parse(trace.started_at);
const descending = (a: string, b: string) => (a < b ? 1 : a > b ? -1 : 0);

/** Newest first: started_at, then id, as the API sorts. */
export function order(a: Summary, b: Summary): number {
  // Equally long UTC times sort as text, nanoseconds included; that is nearly all of them.
  const later = a.started_at.length === b.started_at.length ? 0 : time(b) - time(a);
  return later || descending(a.started_at, b.started_at) || descending(a.trace_id, b.trace_id);
}

/** Two ordered lists as one. */
function merge(a: Summary[], b: Summary[]): Summary[] {
  const merged: Summary[] = [];
  let i = 0;
  for (const row of b) {
    while (i < a.length && order(a[i]!, row) <= 0) merged.push(a[i++]!);
    merged.push(row);
  }
  return merged.concat(a.slice(i));
}

export class TraceList extends Store {
  rows: Summary[] = [];
  waiting = new Map<string, Summary>();
  filter: Filter = {};
  loading = false;
  loaded = false;
  error: string | null = null;
  /** Ids that came in live, for the moment in which they are marked as new. */
  fresh = new Set<string>();
  /** Whether new rows may come in at the top: the view sets it as the reader scrolls. */
  atTop = true;
  /** What came in while a page was being read: the page may be older than it. */
  private meanwhile: Summary[] = [];
  private byId = new Map<string, Summary>();
  private cursor: string | null = null;
  private trimmed = false;
  private request: AbortController | null = null;

  get more(): boolean {
    return this.cursor !== null || this.trimmed;
  }

  get(id: string): Summary | undefined {
    return this.byId.get(id) ?? this.waiting.get(id);
  }

  /** Shows another selection, from its newest trace on. */
  show(filter: Filter) {
    this.filter = filter;
    this.set([]);
    this.loaded = false;
    return this.reload();
  }

  /** Reads the newest page again; rows stay on the screen until it is there. */
  async reload() {
    this.waiting.clear();
    this.fresh.clear();
    await this.fetch({}, (page, next) => {
      this.set(page);
      this.cursor = next;
      this.trimmed = false;
      this.loaded = true;
    });
  }

  /** After a lost connection: merges the newest page, or starts over when it does not reach what is here. */
  async heal() {
    if (!this.loaded) return this.reload();
    await this.fetch({}, (page, next) => {
      if (next === null || page.some((row) => this.byId.has(row.trace_id))) this.take(page);
      else {
        this.set(page);
        this.cursor = next;
        this.trimmed = false;
        this.waiting.clear();
      }
    });
  }

  /** The next older page. */
  async loadMore() {
    if (this.loading || !this.more) return;
    const last = this.rows.at(-1);
    // `to` excludes its own instant, so a trimmed list asks one millisecond later and drops what it has already.
    const older = this.trimmed && last ? { to: new Date(time(last) + 1).toISOString() } : { cursor: this.cursor ?? '' };
    await this.fetch(older, (page, next) => {
      this.set(this.rows.concat(page.filter((row) => !this.byId.has(row.trace_id))));
      this.cursor = next;
      this.trimmed = false;
    });
  }

  /** Lets what waited come in. */
  reveal() {
    if (this.waiting.size >= WAITING) return this.reload();
    const traces = [...this.waiting.values()];
    this.waiting.clear();
    this.insert(traces);
    this.changed();
    return undefined;
  }

  /** New or changed traces, from the live stream. */
  take(traces: Summary[]) {
    if (this.loading && this.meanwhile.length < KEPT) this.meanwhile.push(...traces);
    const added: Summary[] = [];
    for (const trace of traces) {
      const known = this.byId.get(trace.trace_id);
      const wanted = this.matches(trace);
      if (known) {
        // In place. A row that no longer matches stays until the next load: rows do not vanish while one reads them.
        if (trace.status !== 'running' || known.status === 'running') Object.assign(known, trace);
      } else if (this.waiting.has(trace.trace_id)) {
        if (wanted) this.waiting.set(trace.trace_id, trace);
        else this.waiting.delete(trace.trace_id);
      } else if (wanted && !this.older(trace)) added.push(trace);
    }
    if (this.atTop) this.insert(added);
    else for (const trace of added) if (this.waiting.size < WAITING) this.waiting.set(trace.trace_id, trace);
    this.changed();
  }

  private insert(traces: Summary[]) {
    if (traces.length === 0) return;
    for (const trace of traces) this.byId.set(trace.trace_id, trace);
    this.rows = merge(this.rows, traces.sort(order));
    if (this.rows.length > KEPT && this.atTop) {
      for (const row of this.rows.splice(KEPT)) this.byId.delete(row.trace_id);
      this.trimmed = true;
    }
    if (traces.length > MARKED) return;
    for (const trace of traces) this.fresh.add(trace.trace_id);
    window.setTimeout(() => {
      for (const trace of traces) this.fresh.delete(trace.trace_id);
      this.changed();
    }, 1600);
  }

  private set(rows: Summary[]) {
    this.rows = rows;
    this.byId = new Map(rows.map((row) => [row.trace_id, row]));
  }

  /** Older than the last row while there are more pages: it will come with them. */
  private older(trace: Summary): boolean {
    const last = this.rows.at(-1);
    return this.more && last !== undefined && order(trace, last) > 0;
  }

  private matches(trace: Summary): boolean {
    const { status, name, agent } = this.filter;
    return (!status || trace.status === status) && (!name || trace.name === name) && (!agent || trace.agent_id === agent);
  }

  private async fetch(extra: object, done: (page: Summary[], next: string | null) => void) {
    this.request?.abort();
    const request = new AbortController();
    this.request = request;
    this.loading = true;
    this.changed();
    try {
      const answer = await listTraces({ ...this.filter, limit: PAGE, ...extra }, request.signal);
      if (request.signal.aborted) return;
      this.error = null;
      this.loading = false;
      done(answer.traces, answer.next_cursor);
      this.take(this.meanwhile.splice(0));
    } catch (error) {
      if (request.signal.aborted) return;
      this.error = error instanceof ApiError ? error.message : 'The list could not be read.';
    }
    this.loading = false;
    this.changed();
  }
}
