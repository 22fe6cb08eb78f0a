// The numbers over time behind the plots: one answer of /stats for what the address asks for, read again while traces
// arrive. The receiver keeps these numbers by agent, name and model; other filters do not narrow them.
import { ApiError, type Filter, getStats, type Stats } from './api';
import { bounds, type Range, reachesNow } from './range';
import { Store } from './store';

export const COUNTED = ['agent', 'name', 'model'] as const;
const SOONEST_MS = 4000; // between two reads while traces arrive
const LATEST_MS = 30_000; // a range that ends now moves on even when nothing arrives
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

  /** Shows other numbers; what was shown stays until they are there. */
  show(filter: Filter, range: Range, groups: Group[] = []) {
    this.filter = counted(filter);
    this.range = range;
    this.wanted = groups;
    const key = JSON.stringify([this.filter, range, groups]);
    if (key === this.key) return;
    this.key = key;
    this.error = null;
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

  private async read() {
    this.request?.abort();
    const request = new AbortController();
    this.request = request;
    this.timer = 0;
    this.readAt = Date.now();
    const asked = { ...this.filter, ...bounds(this.range) };
    try {
      const [data, ...groups] = await Promise.all([
        getStats(asked, request.signal),
        ...this.wanted.map((group) => getStats({ ...asked, group, limit: GROUPS }, request.signal)),
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
