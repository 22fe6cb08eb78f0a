// What the receiver computed about a trace (GET traces/{id}/checks), as a list that can be shown.
export interface Check {
  name: string;
  passed: boolean | null; // null: it could not be said
  text: string;
}

const object = (value: unknown) => (value && typeof value === 'object' && !Array.isArray(value) ? (value as Record<string, unknown>) : null);

export function checksOf(answer: Record<string, unknown> | null): Check[] {
  const result = object(answer?.interpretedTraceResult) ?? answer;
  const list = Array.isArray(result?.checks) ? result.checks : [];
  return list.map(object).filter((check) => check !== null).map((check) => ({
    name: String(check.name ?? 'check'),
    passed: typeof check.passed === 'boolean' ? check.passed : null,
    text: String(check.text ?? ''),
  }));
}
