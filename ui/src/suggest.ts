// What the search field understands and offers: words to search for, and "field: value" filters with the values that the
// receiver knows.
import { type Agent, type Filter, type FilterKey, getValues } from './api';
import { duration, integer } from './format';

export interface Suggestion {
  key: string;
  group: string;
  label: string;
  note: string;
  /** What choosing it does: filters that are set, or text that the field goes on with. */
  filter?: Filter;
  goOn?: string;
}

export const FIELDS = ['name', 'model', 'agent', 'tag', 'session', 'user', 'duration'] as const;
export type Field = (typeof FIELDS)[number];
const NOTES: Record<Field, string> = {
  name: 'of the traced function',
  model: 'that answered',
  agent: 'that sent it',
  tag: 'that the program set',
  session: 'of a conversation',
  user: 'whom it was for',
  duration: '> 2s, < 500ms, 1s - 5s',
};
const FEW = 4; // values of each field when no field is named
const MANY = 12;
const PRESETS = ['> 1s', '> 5s', '> 30s', '< 100ms'];

/** "model: gpt" is a field and the beginning of its value. */
export function parse(text: string, fields: readonly Field[]): { field: Field | null; value: string } {
  const match = /^\s*([a-z]+)\s*:\s*(.*)$/i.exec(text);
  const field = fields.find((name) => name === match?.[1]?.toLowerCase()) ?? null;
  return { field, value: (field ? match![2]! : text).trim() };
}

const UNITS: Record<string, number> = { ms: 0.001, s: 1, m: 60, min: 60, h: 3600 };

/** "> 2s", "<500ms", "1s - 5s" as filters. */
export function parseDuration(text: string): Filter | null {
  const amount = String.raw`(\d+(?:\.\d+)?)\s*(ms|s|min|m|h)?`;
  const seconds = (n: string, unit: string | undefined) => String(Number((Number(n) * UNITS[unit ?? 's']!).toPrecision(9)));
  let match = new RegExp(`^([<>])=?\\s*${amount}$`).exec(text.trim());
  if (match) return { [match[1] === '>' ? 'min_duration' : 'max_duration']: seconds(match[2]!, match[3]) };
  match = new RegExp(`^${amount}\\s*(?:-|–|to)\\s*${amount}$`).exec(text.trim());
  if (match) return { min_duration: seconds(match[1]!, match[2] ?? match[4]), max_duration: seconds(match[3]!, match[4]) };
  return null;
}

/** The duration filters in words: > 2 s, 1 s – 5 s. */
export function durationWords({ min_duration: least, max_duration: most }: Filter): string {
  if (least && most) return `${duration(Number(least))} – ${duration(Number(most))}`;
  return least ? `> ${duration(Number(least))}` : `< ${duration(Number(most))}`;
}

/** Enter without a choice: a named field takes what was typed, anything else is searched for. */
export function typed(text: string, fields: readonly Field[], agents: Agent[], searchable: boolean): Filter | null {
  const { field, value } = parse(text, fields);
  if (!value) return null;
  if (!field) return searchable ? { q: value } : null;
  if (field === 'duration') return parseDuration(value);
  if (field === 'agent') {
    const agent = agents.find(({ agent_id, name }) => agent_id === value || name === value);
    return agent ? { agent: agent.agent_id } : null;
  }
  return { [field]: value };
}

function ofAgents(agents: Agent[], prefix: string, limit: number): Suggestion[] {
  const wanted = prefix.toLowerCase();
  return agents
    .filter(({ name, agent_id }) => name.toLowerCase().startsWith(wanted) || (wanted && agent_id.startsWith(wanted)))
    .slice(0, limit)
    .map(({ name, agent_id, revoked }) => ({
      key: `agent ${agent_id}`,
      group: 'agent',
      label: name,
      note: revoked ? 'revoked' : agent_id.slice(0, 8),
      filter: { agent: agent_id },
    }));
}

async function ofValues(field: FilterKey, prefix: string, limit: number, signal: AbortSignal): Promise<Suggestion[]> {
  // The receiver tells small letters from capitals; names that people give often begin with a capital.
  const capital = prefix.charAt(0).toUpperCase() + prefix.slice(1);
  const prefixes = capital === prefix || field === 'model' ? [prefix] : [prefix, capital];
  const answers = await Promise.all(prefixes.map((one) => getValues(field, one, limit, signal)));
  const found = answers.flatMap((answer) => answer?.values ?? []).sort((a, b) => b.traces - a.traces);
  return found.slice(0, limit).map(({ value, traces }) => ({
    key: `${field} ${value}`,
    group: field,
    label: value,
    note: `${integer(traces)} ${traces === 1 ? 'trace' : 'traces'}`,
    filter: { [field]: value },
  }));
}

/** What to offer at once; ask() adds what the receiver knows. */
export function atOnce(text: string, fields: readonly Field[], searchable: boolean): Suggestion[] {
  const { field, value } = parse(text, fields);
  if (field === 'duration') {
    const own = parseDuration(value);
    const offered = own ? [value] : PRESETS;
    return offered.map((one) => ({ key: one, group: 'duration', label: durationWords(parseDuration(one)!), note: '', filter: parseDuration(one)! }));
  }
  if (field) return [];
  const found: Suggestion[] = [];
  if (value && searchable) found.push({ key: 'q', group: 'search', label: value, note: 'in names, inputs, outputs, errors', filter: { q: value } });
  for (const one of fields)
    if (one.startsWith(value.toLowerCase())) found.push({ key: `field ${one}`, group: 'filter', label: `${one}:`, note: NOTES[one], goOn: `${one}: ` });
  return found;
}

export async function ask(text: string, fields: readonly Field[], agents: Agent[], signal: AbortSignal): Promise<Suggestion[]> {
  const { field, value } = parse(text, fields);
  if (field === 'duration' || (!field && !value)) return [];
  const asked = field ? [field] : fields.filter((one) => one !== 'duration');
  const limit = field ? MANY : FEW;
  const found = await Promise.all(asked.map((one) => (one === 'agent' ? ofAgents(agents, value, limit) : ofValues(one as FilterKey, value, limit, signal))));
  return found.flat();
}
