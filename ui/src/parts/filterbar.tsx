// What is shown, above a view: the filters that are on, as chips that take them off, the field that adds them, the range.
import type { ComponentChildren, RefObject } from 'preact';
import type { Agent, Filter, FilterKey } from '../api';
import { route } from '../route';
import { durationWords, type Field } from '../suggest';
import { Chip } from './chip';
import { RangePicker } from './range';
import { Search } from './search';

interface Props {
  label: string;
  field: RefObject<HTMLInputElement | null>;
  fields: readonly Field[];
  searchable: boolean;
  agents: Agent[];
  agentName: (id: string) => string;
  children?: ComponentChildren;
}

export function FilterBar({ label, field, fields, searchable, agents, agentName, children }: Props) {
  const { filter, range } = route.place;
  const set = (change: Filter) => route.go({ filter: { ...filter, ...change } }, { replace: true });
  // A new duration replaces the old one, both its ends.
  const add = (change: Filter) => set('min_duration' in change || 'max_duration' in change ? { min_duration: undefined, max_duration: undefined, ...change } : change);
  const chips: [name: string, value: string, keys: FilterKey[]][] = [];
  if (searchable && filter.q) chips.push(['text', filter.q, ['q']]);
  for (const one of fields) {
    if (one === 'duration') {
      if (filter.min_duration || filter.max_duration) chips.push([one, durationWords(filter), ['min_duration', 'max_duration']]);
    } else if (filter[one]) chips.push([one, one === 'agent' ? agentName(filter[one]!) : filter[one]!, [one]]);
  }
  return (
    <div class="filters" role="search" aria-label={label}>
      {children}
      <Search field={field} fields={fields} searchable={searchable} agents={agents} add={add} />
      <RangePicker range={range} set={(next) => route.go({ range: next })} />
      {chips.length > 0 && (
        <div class="chips">
          {chips.map(([name, value, keys]) => (
            <Chip key={name} name={name} value={value} remove={() => set(Object.fromEntries(keys.map((key) => [key, undefined])))} />
          ))}
        </div>
      )}
    </div>
  );
}
