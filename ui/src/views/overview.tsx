// Is it getting worse, and what does it cost: the numbers of one time range over time, and by name, model and agent.
import type { RefObject } from 'preact';
import { useState } from 'preact/hooks';
import type { Numbers as Sums, Stats } from '../api';
import type { Agents } from '../agents';
import { duration, integer, money, percent, short } from '../format';
import { FilterBar } from '../parts/filterbar';
import { Link } from '../parts/link';
import { Plot, type Series } from '../parts/plot';
import { rangeOf, words } from '../range';
import { route } from '../route';
import { cost, p50, p95, p99, rows, tokens, traces } from '../series';
import type { Group, Numbers } from '../stats';
import { useStore } from '../store';

export const GROUPS: Group[] = ['name', 'model', 'agent'];
const SHOWN = 12; // rows of a ranking

type Measure = 'traces' | 'errors' | 'p95' | 'tokens' | 'cost';
const MEASURES: [Measure, string, (row: Sums) => number, (row: Sums) => string][] = [
  ['traces', 'Traces', (row) => row.traces, (row) => integer(row.traces)],
  ['errors', 'Errors', (row) => row.errors, (row) => (row.errors ? `${integer(row.errors)} (${percent(row.errors, row.traces)})` : '0')],
  ['p95', 'p95', (row) => row.duration_p95_s ?? 0, (row) => duration(row.duration_p95_s)],
  ['tokens', 'Tokens', (row) => row.prompt_tokens + row.completion_tokens, (row) => short(row.prompt_tokens + row.completion_tokens)],
  ['cost', 'Cost', (row) => row.cost_usd ?? -1, (row) => money(row.cost_usd)],
];

interface RankingProps {
  title: string;
  group: Group;
  rows: NonNullable<Stats['groups']>;
  first: Measure;
  label: (key: string) => string;
}

/** Names, models or agents, most of something first; the bar behind the name is that something. */
function Ranking({ title, group, rows: all, first, label }: RankingProps) {
  const [by, sortBy] = useState(first);
  const of = MEASURES.find(([measure]) => measure === by)![2];
  const sorted = [...all].sort((a, b) => of(b) - of(a)).slice(0, SHOWN);
  const most = Math.max(of(sorted[0] ?? ({} as Sums)) || 0, 1e-9);
  return (
    <section class="panel ranking" aria-label={title}>
      <header>
        <h2>{title}</h2>
        {all.length > SHOWN && <span class="faint">{`${SHOWN} of ${all.length}`}</span>}
      </header>
      {all.length === 0 ? (
        <p class="note">None in this time.</p>
      ) : (
        <div class="scroll">
          <table>
            <thead>
              <tr>
                <th scope="col">
                  <span class="unseen">{group}</span>
                </th>
                {MEASURES.map(([measure, word]) => (
                  <th key={measure} scope="col" aria-sort={by === measure ? 'descending' : undefined}>
                    <button type="button" class="quiet" aria-pressed={by === measure} onClick={() => sortBy(measure)}>
                      {word}
                      <span aria-hidden="true">{by === measure ? ' ↓' : ''}</span>
                    </button>
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {sorted.map((row) => {
                return (
                  <tr key={row.key ?? ''}>
                    <th scope="row">
                      <span class="behind" aria-hidden="true" style={{ width: `${(Math.max(0, of(row)) / most) * 100}%` }} />
                      {row.key ? (
                        <Link to={{ view: 'traces', filter: { ...route.place.filter, [group]: row.key } }}>{label(row.key)}</Link>
                      ) : (
                        <span class="faint">{`no ${group}`}</span>
                      )}
                    </th>
                    {MEASURES.map(([measure, , , text]) => (
                      <td key={measure} class={`number ${measure === 'errors' && row.errors ? 'problem' : ''}`}>
                        {text(row)}
                      </td>
                    ))}
                  </tr>
                );
              })}
            </tbody>
          </table>
        </div>
      )}
    </section>
  );
}

export function Overview({ numbers, agents, field }: { numbers: Numbers; agents: Agents; field: RefObject<HTMLInputElement | null> }) {
  useStore(numbers);
  useStore(agents);
  const { data, groups } = numbers;
  const found = data ? rows(data) : null;
  const plot = (title: string, series: Series[]) => (
    <div class="panel">
      <Plot
        title={title}
        buckets={found!.buckets}
        series={series}
        height={150}
        axis
        select={(from, to) => route.go({ range: rangeOf(from, to) })}
        pick={(from, to) => route.go({ view: 'traces', range: rangeOf(from, to) })}
      />
    </div>
  );
  const totals = data?.totals;
  const agentName = (id: string) => agents.name(id);
  return (
    <section class="overview" aria-label="Overview">
      <FilterBar label="Filter the overview" field={field} fields={['name', 'model', 'agent']} searchable={false} agents={agents.all} agentName={agentName} />
      <div class="overview-body" aria-busy={!data && !numbers.missing && !numbers.error}>
        {numbers.error && (
          <p class="problem-line" role="alert">
            {numbers.error}
          </p>
        )}
        {numbers.missing && <p class="note">This receiver keeps no numbers over time.</p>}
        {data && totals && found && (
          <>
            <dl class="sums">
              {(
                [
                  ['Traces', integer(totals.traces), ''],
                  ['Errors', integer(totals.errors), percent(totals.errors, totals.traces)],
                  ['p50', duration(totals.duration_p50_s), ''],
                  ['p95', duration(totals.duration_p95_s), ''],
                  ['p99', duration(totals.duration_p99_s), ''],
                  ['Tokens', short(totals.prompt_tokens + totals.completion_tokens), `${short(totals.prompt_tokens)} in, ${short(totals.completion_tokens)} out`],
                  ['Cost', money(totals.cost_usd), ''],
                ] as const
              ).map(([name, value, more]) => (
                <div key={name}>
                  <dt>{name}</dt>
                  <dd>
                    <span class="number">{value}</span>
                    <span class="faint number">{more}</span>
                  </dd>
                </div>
              ))}
            </dl>
            {totals.traces === 0 ? (
              <p class="note">{`Nothing in ${words(route.place.range)}.`}</p>
            ) : (
              <>
                <div class="plots">
                  {plot('Traces and errors', traces(found.rows, totals))}
                  {plot('Duration', [p50(found.rows, totals), p95(found.rows, totals), p99(found.rows, totals)])}
                  {plot('Tokens', tokens(found.rows, totals))}
                  {totals.cost_usd ? (
                    plot('Cost', [cost(found.rows, totals)])
                  ) : (
                    <section class="panel" aria-label="Cost">
                      <header>
                        <h2>Cost</h2>
                      </header>
                      <p class="note">None that is known: no model that has a price used tokens in this time.</p>
                    </section>
                  )}
                </div>
                <div class="rankings">
                  <Ranking title="Names" group="name" rows={groups.name ?? []} first="traces" label={String} />
                  <Ranking title="Models" group="model" rows={groups.model ?? []} first="cost" label={String} />
                  {(groups.agent?.length ?? 0) > 1 && <Ranking title="Agents" group="agent" rows={groups.agent!} first="traces" label={agentName} />}
                </div>
              </>
            )}
          </>
        )}
      </div>
    </section>
  );
}
