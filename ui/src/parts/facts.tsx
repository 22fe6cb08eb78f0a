// Names and values, small: the head of a trace, the parameters of a call.
import type { ComponentChildren } from 'preact';

export type Fact = [name: string, value: ComponentChildren, title?: string];

const shown = (value: ComponentChildren) => value !== null && value !== undefined && value !== '' && value !== false;

export function Facts({ facts, class: name = '' }: { facts: Fact[]; class?: string }) {
  const present = facts.filter(([, value]) => shown(value));
  if (present.length === 0) return null;
  return (
    <dl class={`facts ${name}`}>
      {present.map(([label, value, title]) => (
        <div key={label} title={title}>
          <dt>{label}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}
