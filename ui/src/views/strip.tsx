// Above the list: traces and errors over time, and how long they took. Dragging narrows the time range.
import type { Filter } from '../api';
import { Plot } from '../parts/plot';
import { rangeOf } from '../range';
import { route } from '../route';
import { p50, p95, rows, traces } from '../series';
import { COUNTED, type Numbers } from '../stats';
import { useStore } from '../store';

/** The filters that narrow the list but not the plot. */
function beyond(filter: Filter): string {
  const names = Object.keys(filter).filter((key) => filter[key as keyof Filter] && !(COUNTED as readonly string[]).includes(key));
  return [...new Set(names.map((key) => (/duration/.test(key) ? 'duration' : key === 'q' ? 'text' : key)))].join(', ');
}

export function Strip({ numbers, filter, narrow }: { numbers: Numbers; filter: Filter; narrow: boolean }) {
  useStore(numbers);
  const { data } = numbers;
  if (numbers.missing) return null;
  if (!data) return <div class={`strip ${narrow ? 'low' : ''}`} aria-busy="true" />;
  const found = rows(data);
  const without = beyond(filter);
  const show = (from: number, to: number) => route.go({ range: rangeOf(from, to) });
  return (
    <div class={`strip ${narrow ? 'low' : ''}`}>
      <Plot
        title="Traces over time"
        buckets={found.buckets}
        series={[...traces(found.rows, data.totals), p50(found.rows, data.totals), p95(found.rows, data.totals)]}
        height={narrow ? 30 : 46}
        note={without && `not narrowed by ${without}`}
        select={show}
        pick={show}
      />
    </div>
  );
}
