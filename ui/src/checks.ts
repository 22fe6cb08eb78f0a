// What the receiver computed about a trace (GET traces/{id}/checks), most pressing first.
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
