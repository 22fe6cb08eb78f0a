// What the receiver computed about a trace (GET traces/{id}/checks), most pressing first; and what a model thought of it.
import { duration, integer, money } from './format';
import { array } from './tree';

const ORDER = ['fail', 'warn', 'pass', 'not_checked'] as const;
export type CheckStatus = (typeof ORDER)[number];

export interface Check {
  title: string;
  status: CheckStatus;
  subject: string; // the wish that was checked, if one was
  detail: string;
  with: string; // what it was compared with
}

const object = (value: unknown) => (value && typeof value === 'object' ? (value as Record<string, unknown>) : {});
const text = (value: unknown) => (typeof value === 'string' ? value : '');

export function checksOf(answer: Record<string, unknown> | null): Check[] {
  const found = array(object(answer?.result).checks as unknown[]).map(object).map((check) => ({
    title: text(check.title) || text(check.id) || 'Check',
    status: ORDER.find((status) => status === check.status) ?? 'not_checked',
    subject: text(check.subject),
    detail: text(check.detail),
    with: text(check.compared_with),
  }));
  return found.sort((a, b) => ORDER.indexOf(a.status) - ORDER.indexOf(b.status));
}

/** What a model as judge said, or why it did not. */
export interface Judgement {
  status: CheckStatus;
  head: string; // "pass, 0.90", "No verdict", "Waits to be judged"
  text: string; // its reason, or what went wrong
  from: string; // the model, and what it took
  at: string; // when, ISO
  waiting: boolean;
}

const VERDICTS: Record<string, CheckStatus> = { pass: 'pass', fail: 'fail', unsure: 'warn' };

export function judgementOf(answer: Record<string, unknown> | null): Judgement | null {
  const given = object(object(answer?.result).judgement);
  const state = text(given.state);
  if (!state) return null;
  const waiting = state === 'waiting';
  const verdict = text(given.verdict);
  const tokens = [given.prompt_tokens, given.completion_tokens].filter((count) => typeof count === 'number');
  const score = typeof given.score === 'number' ? `, ${given.score.toFixed(2)}` : '';
  return {
    status: VERDICTS[verdict] ?? 'not_checked',
    head: waiting ? 'Waits to be judged' : state === 'judged' ? `${verdict}${score}` : 'No verdict',
    text: text(given.reason) || text(given.error),
    from: [
      text(given.model),
      typeof given.latency_s === 'number' && duration(given.latency_s),
      tokens.length === 2 && `${integer(tokens[0] as number)} + ${integer(tokens[1] as number)} tokens`,
      typeof given.cost_usd === 'number' && money(given.cost_usd),
    ]
      .filter(Boolean)
      .join(' · '),
    at: text(given.judged_at),
    waiting,
  };
}
