// Numbers and times as text. Widths are kept steady (fixed digits), because they stand under each other.

const grouped = new Intl.NumberFormat('en');
const clock = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit', hour12: false });
const day = new Intl.DateTimeFormat('en', { month: 'short', day: 'numeric' });

export const NONE = '–';

/** Seconds as text: 0.4 ms, 412 ms, 2.41 s, 1 m 05 s, 2 h 10 m. */
export function duration(seconds: number | null | undefined): string {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) return NONE;
  const ms = seconds * 1000;
  if (ms === 0) return '0 ms';
  if (ms < 9.95) return `${ms < 0.095 ? ms.toFixed(2) : ms.toFixed(1)} ms`;
  if (ms < 999.5) return `${Math.round(ms)} ms`;
  if (seconds < 9.995) return `${seconds.toFixed(2)} s`;
  if (seconds < 59.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 3600) return `${Math.floor(whole / 60)} m ${String(whole % 60).padStart(2, '0')} s`;
  return `${Math.floor(whole / 3600)} h ${String(Math.floor((whole % 3600) / 60)).padStart(2, '0')} m`;
}

export const milliseconds = (ms: number | null | undefined) => duration(ms === null || ms === undefined ? null : ms / 1000);

/** 1,234 */
export const integer = (n: number | null | undefined) => (n === null || n === undefined ? NONE : grouped.format(n));

/** 987, 12.3k, 4.5M: for columns. */
export function short(n: number): string {
  if (n < 10_000) return grouped.format(n);
  if (n < 1_000_000) return `${(n / 1000).toFixed(n < 100_000 ? 1 : 0)}k`;
  return `${(n / 1_000_000).toFixed(1)}M`;
}

/** How long ago: now, 12 s ago, 5 min ago, 3 h ago, 2 d ago, then the date. */
export function ago(iso: string, now: number): string {
  const seconds = Math.max(0, Math.round((now - Date.parse(iso)) / 1000));
  if (!Number.isFinite(seconds)) return NONE;
  if (seconds < 2) return 'now';
  if (seconds < 60) return `${seconds} s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h ago`;
  if (seconds < 7 * 86_400) return `${Math.floor(seconds / 86_400)} d ago`;
  return day.format(new Date(iso));
}

/** Local date and time with milliseconds, as it stands in a tooltip. */
export function absolute(iso: string): string {
  const date = new Date(iso);
  if (Number.isNaN(date.getTime())) return iso;
  const local = `${date.getFullYear()}-${String(date.getMonth() + 1).padStart(2, '0')}-${String(date.getDate()).padStart(2, '0')}`;
  return `${local} ${clock.format(date)}.${String(date.getMilliseconds()).padStart(3, '0')}`;
}

/** A decorated function's input without its frame: ('a', 1) and {'tone': 'formal'} as 'a', 1, {'tone': 'formal'}. */
export function withoutFrame(input: string | null | undefined): string {
  if (!input?.startsWith("{'args': (")) return input ?? '';
  const match = /^\{'args': \((.*?),?\), 'kwargs': \{(.*?)\}?\}?$/su.exec(input);
  if (!match) return input.slice("{'args': (".length);
  const [, args, kwargs] = match;
  return [args, kwargs && `{${kwargs}}`].filter(Boolean).join(', ') || '()';
}

/** The first line that says something, for a row. */
export function firstLine(text: string | null | undefined): string {
  return text?.trimStart().split('\n', 1)[0] ?? '';
}

/** US dollars: $0.0042, $1.28, $1,204. */
export function money(usd: number | null | undefined): string {
  if (usd === null || usd === undefined || !Number.isFinite(usd)) return NONE;
  if (usd === 0) return '$0';
  if (usd < 0.0001) return '<$0.0001';
  if (usd < 0.1) return `$${usd.toFixed(4)}`;
  if (usd < 1000) return `$${usd.toFixed(2)}`;
  return `$${grouped.format(Math.round(usd))}`;
}

/** A part of a whole: 0 %, 0.4 %, 12 %. */
export function percent(part: number, whole: number): string {
  if (!whole || !part) return '0 %';
  const value = (part / whole) * 100;
  return `${value < 0.1 ? '<0.1' : value < 10 ? value.toFixed(1) : Math.round(value)} %`;
}

/** A number on a scale, without zeros that say nothing: 5.00 s is 5 s, $0.50 is $0.5. */
export const trimmed = (text: string) => text.replace(/\.0+(?=\D|$)/, '').replace(/(\.\d*?)0+(?=\D|$)/, '$1');

const hourMinute = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', hour12: false });
const weekday = new Intl.DateTimeFormat('en', { weekday: 'short', month: 'short', day: 'numeric' });

/** An instant on an axis that spans `span` ms: 14:05:30, 14:05, Nov 26. */
export function instant(ms: number, span: number): string {
  if (span <= 5 * 60_000) return clock.format(ms);
  if (span <= 36 * 3_600_000) return hourMinute.format(ms);
  return day.format(ms);
}

/** An instant in words, with its day: Thu, Nov 26, 14:05. */
export const moment = (ms: number) => `${weekday.format(ms)}, ${hourMinute.format(ms)}`;

/** From one instant to another: Nov 26, 14:05 – 14:20. */
export function between(from: number, to: number): string {
  const same = day.format(from) === day.format(to) && to - from < 86_400_000;
  const precise = to - from < 5 * 60_000 ? clock : hourMinute;
  return `${day.format(from)}, ${precise.format(from)} – ${same ? '' : `${day.format(to)}, `}${precise.format(to)}`;
}
