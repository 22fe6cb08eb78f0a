// The list of traces as the page holds it: newest first, filled from pages of the API and from live events, bounded.
// While the reader has scrolled, new traces wait (`waiting`) and nothing moves under their eyes.
import { ApiError, type Bounds, type Filter, listTraces, type Page, type Summary } from './api';
import { bounds, type Range, USUAL } from './range';
import { Store } from './store';

const PAGE = 100; // rows a request
const KEPT = 5000; // rows held; older ones are asked for again
const MARKED = 50; // traces of one batch that are marked as new
const WAITING = 1000; // traces that wait; more than that is a reload
const LOOK_MS = 1500; // for which short pages are followed until there is a full one; then the reader says whether to go on
const SEARCH_MS = 4000; // between two looks of a text search for what came in: only the receiver can match words

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
  range: Range = USUAL;
  loading = false;
  loaded = false;
  error: string | null = null;
  /** There is no trace at all, in no range of time. */
  nothing = false;
  /** Ids that came in live, for the moment in which they are marked as new. */
  fresh = new Set<string>();
  /** Whether new rows may come in at the top: the view sets it as the reader scrolls. */
  atTop = true;
  /** What came in while a page was being read: the page may be older than it. */
  private meanwhile: Summary[] = [];
  private byId = new Map<string, Summary>();
  private cursor: string | null = null;
  /** How far back was looked when that took long and there was not a page full; the reader may go on from there. */
  lookedBack: string | null = null;
  private trimmed = false;
  private request: AbortController | null = null;
  /** The range as it was when the newest page was read: all pages of one list have the same. */
  private bounds: Bounds = {};
  private searching = 0;

  get more(): boolean {
    return this.cursor !== null || this.trimmed;
  }

  get(id: string): Summary | undefined {
    return this.byId.get(id) ?? this.waiting.get(id);
  }

  /** Shows another selection, from its newest trace on. */
  show(filter: Filter, range: Range) {
    this.filter = filter;
    this.range = range;
    window.clearTimeout(this.searching);
    this.searching = 0;
    this.set([]);
    this.lookedBack = null;
    this.loaded = false;
    return this.reload();
  }

  /** Reads the newest page again; rows stay on the screen until it is there. */
  async reload() {
    this.waiting.clear();
    this.fresh.clear();
    this.bounds = bounds(this.range);
    const filtered = Object.values(this.filter).some(Boolean);
    let unknown = false; // empty: because nothing was ever sent, or because of the range?
    const reading = this.fetch({}, (page, next, back) => {
      this.set(page);
      this.reached(next, back);
      unknown = page.length === 0 && !filtered && this.bounds.from !== undefined;
      this.nothing = page.length === 0 && !filtered && !unknown;
      this.loaded = !unknown;
    });
    const request = this.request;
    await reading;
    if (!unknown) return;
    const any = await listTraces({ limit: 1 }).catch(() => null);
    if (request !== this.request) return;
    this.nothing = any?.traces.length === 0;
    this.loaded = true;
    this.changed();
  }

  /** After a lost connection: merges the newest page, or starts over when it does not reach what is here. */
  async heal() {
    if (!this.loaded) return this.reload();
    await this.fetch({}, (page, next, back) => {
      if (next === null || page.some((row) => this.byId.has(row.trace_id))) this.take(page);
      else {
        this.set(page);
        this.reached(next, back);
        this.waiting.clear();
      }
    });
  }

  /** The next older page; `on`: also where looking for it takes long. */
  async loadMore(on = false) {
    if (this.loading || !this.more || (this.lookedBack && !on)) return;
    const last = this.rows.at(-1);
    // `to` excludes its own instant, so a trimmed list asks one millisecond later and drops what it has already.
    const older = this.trimmed && last ? { to: new Date(time(last) + 1).toISOString() } : { cursor: this.cursor ?? '' };
    await this.fetch(older, (page, next, back) => {
      this.set(this.rows.concat(page.filter((row) => !this.byId.has(row.trace_id))));
      this.reached(next, back);
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
      } else if (wanted && this.filter.q) this.searching ||= window.setTimeout(() => this.search(), SEARCH_MS);
      else if (wanted && !this.older(trace)) added.push(trace);
    }
    this.add(added);
  }

  private add(added: Summary[]) {
    if (this.atTop) this.insert(added);
    else for (const trace of added) if (this.waiting.size < WAITING) this.waiting.set(trace.trace_id, trace);
    this.changed();
  }

  /** What came in and holds the words that are searched for. */
  private async search() {
    this.searching = 0;
    if (this.loading) return;
    await this.fetch({}, (page) => this.add(page.filter((row) => !this.get(row.trace_id) && !this.older(row))), 0);
  }

  private reached(next: string | null, back: string | null) {
    this.cursor = next;
    this.lookedBack = back;
    this.trimmed = false;
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
    const { status, name, agent, model, tag, session, user, min_duration: least, max_duration: most } = this.filter;
    const { from, to } = this.bounds;
    return (
      (!status || trace.status === status) &&
      (!name || trace.name === name) &&
      (!agent || trace.agent_id === agent) &&
      (!model || trace.model === model) &&
      (!tag || trace.tags?.includes(tag) === true) &&
      (!session || trace.session_id === session) &&
      (!user || trace.user_id === user) &&
      (!least || trace.duration_s >= Number(least)) &&
      (!most || trace.duration_s <= Number(most)) &&
      (!from || time(trace) >= Date.parse(from)) &&
      (!to || time(trace) < Date.parse(to))
    );
  }

  /** A page of the API, and while it is short the next ones, for `ms`. */
  private async page(extra: object, ms: number, signal: AbortSignal): Promise<Page> {
    const until = Date.now() + ms;
    const page = await listTraces({ ...this.filter, ...this.bounds, limit: PAGE, ...extra }, signal);
    while (page.next_cursor && page.traces.length < PAGE && Date.now() < until) {
      const wanted = { limit: PAGE - page.traces.length, ...extra, cursor: page.next_cursor };
      const next = await listTraces({ ...this.filter, ...this.bounds, ...wanted }, signal);
      page.traces.push(...next.traces);
      page.next_cursor = next.next_cursor;
      page.looked_back_to = next.looked_back_to;
    }
    return page;
  }

  private async fetch(extra: object, done: (page: Summary[], next: string | null, back: string | null) => void, ms = LOOK_MS) {
    this.request?.abort();
    const request = new AbortController();
    this.request = request;
    this.loading = true;
    this.changed();
    try {
      const answer = await this.page(extra, ms, request.signal);
      if (request.signal.aborted) return;
      this.error = null;
      this.loading = false;
      done(answer.traces, answer.next_cursor, answer.traces.length < PAGE ? answer.looked_back_to : null);
      this.take(this.meanwhile.splice(0));
    } catch (error) {
      if (request.signal.aborted) return;
      this.error = error instanceof ApiError ? error.message : 'The list could not be read.';
    }
    this.loading = false;
    this.changed();
  }
}
