// The receiver's numbers as what plots draw.
import type { Numbers, Stats } from './api';
import { duration, integer, money, percent, short } from './format';
import type { Buckets, Series } from './parts/plot';

const MOST = 2000; // buckets: more than a screen has pixels

type Row = Stats['buckets'][number];

/** Every interval of the range, also those in which nothing happened. */
export function rows(stats: Stats): { buckets: Buckets; rows: (Row | null)[] } {
  const interval = Math.max(1, stats.interval_s) * 1000;
  const known = new Map(stats.buckets.map((row) => [Math.floor(Date.parse(row.start) / interval), row]));
  const first = Math.floor(Math.min(Date.parse(stats.from), ...[...known.keys()].map((at) => at * interval)) / interval);
  const last = Math.ceil(Date.parse(stats.to) / interval);
  const count = Math.min(MOST, Math.max(1, last - first));
  const found: (Row | null)[] = [];
  const starts: number[] = [];
  for (let i = 0; i < count; i++) {
    starts.push((first + i) * interval);
    found.push(known.get(first + i) ?? null);
  }
  return { buckets: { starts, interval, from: starts[0]!, to: starts.at(-1)! + interval }, rows: found };
}


const bar = (key: string, label: string, values: (number | null)[], text: Series['text'], whole: string, more?: Partial<Series>): Series => ({ key, label, kind: 'bar', values, text, whole, ...more });
const line = (key: string, label: string, values: (number | null)[], whole: number | null): Series => ({ key, label, kind: 'line', values, text: duration, whole: duration(whole) });

export function traces(found: (Row | null)[], totals: Numbers): Series[] {
  const fine = (row: Row | null) => (row ? Math.max(0, row.traces - row.errors - row.interrupted) : 0);
  return [
    bar('traces', 'traces', found.map(fine), integer, integer(totals.traces), { said: found.map((row) => row?.traces ?? 0) }),
    ...(totals.interrupted ? [bar('interrupted', 'interrupted', found.map((row) => row?.interrupted ?? 0), integer, integer(totals.interrupted))] : []),
    bar('errors', 'errors', found.map((row) => row?.errors ?? 0), integer, integer(totals.errors), { more: `(${percent(totals.errors, totals.traces)})` }),
  ];
}

export const p50 = (found: (Row | null)[], totals: Numbers) => line('p50', 'p50', found.map((row) => row?.duration_p50_s ?? null), totals.duration_p50_s);
export const p95 = (found: (Row | null)[], totals: Numbers) => line('p95', 'p95', found.map((row) => row?.duration_p95_s ?? null), totals.duration_p95_s);
export const p99 = (found: (Row | null)[], totals: Numbers) => line('p99', 'p99', found.map((row) => row?.duration_p99_s ?? null), totals.duration_p99_s);

/** By kind. Cached and cache-writing tokens are part of the input's, reasoning tokens of the output's: each is counted once. */
export function tokens(found: (Row | null)[], totals: Numbers): Series[] {
  const kinds: [key: string, label: string, of: (row: Numbers) => number][] = [
    ['input', 'input', (row) => Math.max(0, row.prompt_tokens - row.cached_tokens - row.cache_write_tokens)],
    ['cached', 'from cache', (row) => row.cached_tokens],
    ['written', 'to cache', (row) => row.cache_write_tokens],
    ['reasoning', 'reasoning', (row) => row.reasoning_tokens],
    ['output', 'output', (row) => Math.max(0, row.completion_tokens - row.reasoning_tokens)],
  ];
  const present = kinds.filter(([, , of]) => of(totals) > 0);
  return (present.length ? present : kinds.slice(0, 1)).map(([key, label, of]) => bar(key, label, found.map((row) => (row ? of(row) : 0)), short, short(of(totals))));
}

export const cost = (found: (Row | null)[], totals: Numbers) => bar('cost', 'cost', found.map((row) => row?.cost_usd ?? 0), money, money(totals.cost_usd));
