// The time range that governs the list and every plot: one of the usual ones, everything, or from one instant to another.
import type { Bounds } from './api';
import { between } from './format';

export const RANGES = [
  ['15m', '15 min', 15 * 60, 'the last 15 minutes'],
  ['1h', '1 h', 3600, 'the last hour'],
  ['24h', '24 h', 86_400, 'the last 24 hours'],
  ['7d', '7 d', 7 * 86_400, 'the last 7 days'],
  ['all', 'All', 0, 'all time'],
] as const;

export type Named = (typeof RANGES)[number][0];
export type Range = Named | { from: string; to: string };
export const USUAL: Named = '24h';

export const isNamed = (range: Range): range is Named => typeof range === 'string';

/** The range as the API takes it, at this instant. */
export function bounds(range: Range): Bounds {
  if (!isNamed(range)) return { from: range.from, to: range.to };
  const seconds = RANGES.find(([name]) => name === range)![2];
  return seconds ? { from: new Date(Date.now() - seconds * 1000).toISOString() } : {};
}

/** In words that go on after "in": "the last hour". */
export function words(range: Range): string {
  if (isNamed(range)) return RANGES.find(([name]) => name === range)![3];
  return between(Date.parse(range.from), Date.parse(range.to));
}

/** Whether what happens now belongs to it. */
export const reachesNow = (range: Range) => isNamed(range) || Date.parse(range.to) > Date.now();

export function readRange(query: URLSearchParams): Range {
  const from = Date.parse(query.get('from') ?? '');
  const to = Date.parse(query.get('to') ?? '');
  if (from < to) return { from: new Date(from).toISOString(), to: new Date(to).toISOString() };
  const name = query.get('range');
  return RANGES.find(([known]) => known === name)?.[0] ?? USUAL;
}

export function writeRange(range: Range, query: URLSearchParams) {
  if (!isNamed(range)) {
    query.set('from', range.from);
    query.set('to', range.to);
  } else if (range !== USUAL) query.set('range', range);
}

export const rangeOf = (from: number, to: number): Range => ({ from: new Date(from).toISOString(), to: new Date(to).toISOString() });
