// The numbers over time behind the plots: one answer of /stats for what the address asks for, read again while traces
// arrive. The receiver keeps these numbers by agent, name and model; other filters do not narrow them.
import { ApiError, type Filter, getStats, type Stats } from './api';
import { bounds, type Range, reachesNow } from './range';
import { Store } from './store';

export const COUNTED = ['agent', 'name', 'model'] as const;
const SOONEST_MS = 4000; // between two reads while traces arrive
const LATEST_MS = 30_000; // a range that ends now moves on even when nothing arrives
const EVER = '1970-01-02T00:00:00Z';
const STEPS = 4; // until the first interval of all time is a small part of what is shown
const GROUPS = 100; // names, models that are ranked: the most frequent

export type Group = 'name' | 'model' | 'agent';

export const counted = (filter: Filter): Filter => Object.fromEntries(COUNTED.map((key) => [key, filter[key]]));

export class Numbers extends Store {
  data: Stats | null = null;
  groups: Partial<Record<Group, Stats['groups']>> = {};
  /** The receiver has no such route, or not for this reader. */
  missing = false;
  error: string | null = null;
  private filter: Filter = {};
  private range: Range = 'all';
  private wanted: Group[] = [];
  private key = '';
  private request: AbortController | null = null;
  private timer = 0;
  private due = 0;
  private readAt = 0;
  /** When all time begins: with the first trace. */
  private began: string | null = null;

  /** Shows other numbers; what was shown stays until they are there. */
  show(filter: Filter, range: Range, groups: Group[] = []) {
    this.filter = counted(filter);
    this.range = range;
    this.wanted = groups;
    const key = JSON.stringify([this.filter, range, groups]);
    if (key === this.key) return;
    this.key = key;
    this.error = null;
    this.began = null;
    void this.read();
  }

  hide() {
    this.key = '';
    this.request?.abort();
    this.plan(0);
  }

  /** Traces have arrived. */
  touch() {
    if (this.key && reachesNow(this.range)) this.plan(Math.max(300, this.readAt + SOONEST_MS - Date.now()));
  }

  /** Reads again in `ms`, or earlier if that is planned; 0: not at all. */
  private plan(ms: number) {
    const due = Date.now() + ms;
    if (ms && this.timer && this.due <= due) return;
    window.clearTimeout(this.timer);
    this.due = due;
    this.timer = ms && !this.missing ? window.setTimeout(() => (document.hidden ? this.replan() : void this.read()), ms) : 0;
  }

  private replan() {
    this.timer = 0;
    this.plan(SOONEST_MS);
  }

  /** The interval in which the first trace began: from a coarse look at all time to finer ones. */
  private async begin(signal: AbortSignal): Promise<string> {
    let from = EVER;
    for (let step = 0; step < STEPS; step++) {
      const look = await getStats({ ...this.filter, from }, signal);
      const first = look?.buckets[0];
      if (!look || !first || Date.parse(first.start) <= Date.parse(from)) break;
      from = first.start;
      if (look.interval_s <= 3600) break;
    }
    return from === EVER ? new Date(Date.now() - 86_400_000).toISOString() : from;
  }

  private async read() {
    this.request?.abort();
    const request = new AbortController();
    this.request = request;
    this.timer = 0;
    this.readAt = Date.now();
    const { signal } = request;
    try {
      const limits = bounds(this.range);
      limits.from ??= this.began ??= await this.begin(signal);
      const asked = { ...this.filter, ...limits };
      const [data, ...groups] = await Promise.all([
        getStats(asked, signal),
        ...this.wanted.map((group) => getStats({ ...asked, group, limit: GROUPS }, signal)),
      ]);
      if (request.signal.aborted) return;
      this.data = data ?? null;
      this.missing = data === null;
      this.groups = Object.fromEntries(this.wanted.map((group, i) => [group, groups[i]?.groups ?? []]));
      this.error = null;
    } catch (error) {
      if (request.signal.aborted) return;
      this.error = error instanceof ApiError ? error.message : 'The numbers could not be read.';
    }
    this.timer = 0;
    if (reachesNow(this.range)) this.plan(LATEST_MS);
    this.changed();
  }
}
