// Numbers over time: stacked bars and lines in one frame, as SVG. All plots of a page share the instant that is pointed
// at. Dragging, or Shift and an arrow, marks a range; a click, or Enter, takes the marked range or the bucket pointed at.
// The same numbers are there as a table.
import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import { between, instant as clockText, moment, NONE, trimmed } from '../format';
import { Store, useStore } from '../store';

export interface Series {
  key: string; // also the class that colours it
  label: string;
  kind: 'bar' | 'line'; // bars stand on each other, the last one at the foot
  values: (number | null)[]; // one a bucket; null: nothing is known
  said?: (number | null)[]; // what is said of a bucket, where that is not the value drawn
  text: (value: number) => string;
  whole: string; // what the legend says while nothing is pointed at
  more?: string; // and what it adds where there is room
}

export interface Buckets {
  starts: number[]; // ms, ascending, evenly apart
  interval: number; // ms
  from: number;
  to: number;
}

interface Props {
  title: string;
  buckets: Buckets;
  series: Series[];
  height: number; // pixels of the drawing
  axis?: boolean; // with a scale of values beside it
  note?: string;
  select: (from: number, to: number) => void; // ms; a range was dragged over
  pick: (from: number, to: number) => void; // one bucket was chosen
}

/** The instant that is pointed at in any plot. */
class Pointed extends Store {
  at: number | null = null;
  set(at: number | null) {
    if (at === this.at) return;
    this.at = at;
    this.changed();
  }
}
const pointed = new Pointed();

const TOP = 6; // pixels kept free above the highest value
const DRAGGED = 5; // pixels after which a press is a drag

/** Round instants of local time between two others, at most `count`. */
function timeTicks(from: number, to: number, count: number): number[] {
  const minute = 60_000;
  const steps = [1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1440, 2880, 10_080, 43_200].map((minutes) => minutes * minute);
  const step = steps.find((candidate) => (to - from) / candidate <= count) ?? Math.ceil((to - from) / count / steps.at(-1)!) * steps.at(-1)!;
  const zone = new Date(from).getTimezoneOffset() * minute;
  const found: number[] = [];
  for (let at = Math.ceil((from - zone) / step) * step + zone; at <= to; at += step) found.push(at);
  return found;
}

/** A round number that is at least `value`. */
function round(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].map((factor) => factor * power).find((candidate) => candidate >= value * 0.999)!;
}

const highest = (values: (number | null)[]) => values.reduce<number>((most, value) => Math.max(most, value ?? 0), 0);

/** The line through what is known: gaps stay gaps, a value alone is a dash. */
function line(values: (number | null)[], x: (i: number) => number, y: (value: number) => number): string {
  let path = '';
  let drawing = false;
  values.forEach((value, i) => {
    if (value !== null) {
      const alone = !drawing && (values[i + 1] ?? null) === null;
      path += `${drawing ? 'L' : 'M'}${(x(i) - (alone ? 1.5 : 0)).toFixed(1)} ${y(value).toFixed(1)}${alone ? 'h3' : ''}`;
    }
    drawing = value !== null;
  });
  return path;
}

export function Plot({ title, buckets, series, height, axis, note, select, pick }: Props) {
  const { at } = useStore(pointed);
  const surface = useRef<HTMLDivElement>(null);
  const press = useRef<{ x: number; drag: boolean } | null>(null);
  const [width, setWidth] = useState(600);
  const [marked, mark] = useState<[from: number, to: number] | null>(null);
  const [asTable, setAsTable] = useState(false);
  useLayoutEffect(() => {
    const element = surface.current;
    if (!element) return;
    const observer = new ResizeObserver(([entry]) => setWidth(Math.max(60, entry!.contentRect.width)));
    observer.observe(element);
    return () => observer.disconnect();
  }, [asTable]);

  const { starts, interval, from, to } = buckets;
  const span = Math.max(1, to - from);
  const toX = (ms: number) => ((ms - from) / span) * width;
  const index = at === null ? -1 : starts.findIndex((start) => at >= start && at < start + interval);
  const bars = series.filter(({ kind }) => kind === 'bar');
  const lines = series.filter(({ kind }) => kind === 'line');
  const sums = starts.map((_, i) => bars.reduce((sum, { values }) => sum + (values[i] ?? 0), 0));
  const barTop = axis && highest(sums) ? round(highest(sums)) : highest(sums) || 1;
  const highestLine = lines.reduce((most, { values }) => Math.max(most, highest(values)), 0);
  const lineTop = axis && highestLine ? round(highestLine) : highestLine || 1;
  const scale = (top: number) => (value: number) => height - (value / top) * (height - TOP);
  const scaled = bars.length ? { top: barTop, text: bars[0]!.text } : { top: lineTop, text: lines[0]!.text };

  // Bars keep a gap of a pixel where there is room for one.
  const barWidth = Math.max(1, toX(from + interval) - (toX(from + interval) > 4 ? 1 : 0));
  const stacked = sums.map(() => 0);
  const barPaths = bars.toReversed().map(({ key, values }) => {
    let path = '';
    values.forEach((value, i) => {
      if (!value) return;
      const foot = scale(barTop)(stacked[i]!);
      stacked[i]! += value;
      // What is there is seen, however little it is.
      const head = Math.min(scale(barTop)(stacked[i]!), foot - 1.5);
      path += `M${toX(starts[i]!).toFixed(1)} ${foot.toFixed(1)}V${head.toFixed(1)}h${barWidth.toFixed(1)}V${foot.toFixed(1)}z`;
    });
    return <path key={key} class={`fill-${key}`} d={path} />;
  });

  const atEvent = (event: PointerEvent) => {
    const box = surface.current!.getBoundingClientRect();
    return from + Math.min(1, Math.max(0, (event.clientX - box.left) / box.width)) * span;
  };
  const bucketAt = (ms: number) => Math.min(starts.length - 1, Math.max(0, Math.floor((ms - (starts[0] ?? from)) / interval)));
  const edges = (a: number, b: number): [number, number] => [starts[bucketAt(Math.min(a, b))]!, starts[bucketAt(Math.max(a, b))]! + interval];
  const apply = () => {
    if (marked) select(...marked);
    else if (index >= 0) pick(starts[index]!, starts[index]! + interval);
    mark(null);
    pointed.set(null);
  };
  const down = (event: PointerEvent) => {
    if (event.button || !starts.length) return;
    surface.current!.setPointerCapture(event.pointerId);
    press.current = { x: event.clientX, drag: false };
    pointed.set(atEvent(event));
  };
  const start = useRef(0);
  const move = (event: PointerEvent) => {
    const here = atEvent(event);
    if (press.current) {
      if (!press.current.drag && Math.abs(event.clientX - press.current.x) > DRAGGED) {
        press.current.drag = true;
        start.current = pointed.at ?? here;
      }
      if (press.current.drag) {
        mark(edges(start.current, here));
        return;
      }
    }
    pointed.set(here);
  };
  const up = () => {
    if (press.current) apply();
    press.current = null;
  };
  const leave = () => {
    press.current = null;
    mark(null);
    pointed.set(null);
  };
  const key = (event: KeyboardEvent) => {
    const by = event.key === 'ArrowRight' ? 1 : event.key === 'ArrowLeft' ? -1 : 0;
    if (by && starts.length) {
      const last = starts.length - 1;
      const next = index < 0 ? last : Math.min(last, Math.max(0, index + by));
      if (event.shiftKey) {
        const anchor = marked ? start.current : starts[Math.max(0, index)]!;
        start.current = anchor;
        mark(edges(anchor, starts[next]!));
      } else mark(null);
      pointed.set(starts[next]!);
    } else if (event.key === 'Home' || event.key === 'End') pointed.set(starts.at(event.key === 'Home' ? 0 : -1) ?? null);
    else if (event.key === 'Enter' && (marked || index >= 0)) apply();
    else if (event.key === 'Escape' && (marked || at !== null)) {
      mark(null);
      pointed.set(null);
    } else return;
    event.preventDefault();
    event.stopPropagation();
  };

  const valueAt = ({ values, said = values, text }: Series, i: number) => (said[i] === null || said[i] === undefined ? NONE : text(said[i]!));
  const name = (i: number) => moment(starts[i]!);
  const said = index < 0 ? 'no instant chosen' : `${name(index)}: ${series.map((one) => `${one.label} ${valueAt(one, index)}`).join(', ')}`;
  const ticks = timeTicks(from, to, Math.max(2, Math.floor(width / 80)));
  return (
    <figure class="plot" aria-label={title}>
      <header>
        <h2>{title}</h2>
        {note && <span class="faint">{note}</span>}
        <ul class="legend">
          {series.map((one) => (
            <li key={one.key} class={`legend-${one.key}`}>
              <span class={`swatch swatch-${one.kind} fill-${one.key}`} aria-hidden="true" /> {one.label}{' '}
              <span class="number">
                {index < 0 || marked ? one.whole : valueAt(one, index)}
                {one.more && (index < 0 || marked) && <span class="more"> {one.more}</span>}
              </span>
            </li>
          ))}
        </ul>
        <span class="push" />
        <span class="faint at">{marked ? between(...marked) : index < 0 ? '' : name(index)}</span>
        <button type="button" class="quiet" aria-pressed={asTable} aria-label={`${title} as a table`} onClick={() => setAsTable(!asTable)}>
          Table
        </button>
      </header>
      {asTable ? (
        <div class="plot-table" tabIndex={0} role="region" aria-label={`${title}: numbers`}>
          <table>
            <thead>
              <tr>
                <th scope="col">From</th>
                {series.map(({ key, label }) => (
                  <th key={key} scope="col">
                    {label}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {starts.map((at, i) => (
                <tr key={at}>
                  <th scope="row">{name(i)}</th>
                  {series.map((one) => (
                    <td key={one.key} class="number">
                      {valueAt(one, i)}
                    </td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      ) : (
        <div class={`plot-body ${axis ? 'with-axis' : ''}`}>
          {axis && (
            <div class="scale" aria-hidden="true" style={{ height: `${height}px` }}>
              {[1, 0.5].map((part) => (
                <span key={part} style={{ top: `${scale(1)(part)}px` }}>
                  {trimmed(scaled.text(scaled.top * part))}
                </span>
              ))}
            </div>
          )}
          <div
            ref={surface}
            class="surface"
            role="slider"
            tabIndex={0}
            aria-label={`${title}: instant`}
            aria-valuemin={0}
            aria-valuemax={Math.max(0, starts.length - 1)}
            aria-valuenow={Math.max(0, index)}
            aria-valuetext={said}
            onPointerDown={down}
            onPointerMove={move}
            onPointerUp={up}
            onPointerLeave={() => press.current || leave()}
            onPointerCancel={leave}
            onKeyDown={key}
            onBlur={leave}
          >
            <svg width={width} height={height + 16} viewBox={`0 0 ${width} ${height + 16}`} aria-hidden="true">
              {axis && [1, 0.5].map((part) => <path key={part} class="grid" d={`M0 ${scale(1)(part)}H${width}`} />)}
              <path class="base" d={`M0 ${height + 0.5}H${width}`} />
              {index >= 0 && !marked && <rect class="here" x={toX(starts[index]!)} y="0" width={Math.max(1, toX(from + interval))} height={height} />}
              {barPaths}
              {lines.map(({ key, values }) => (
                <path key={key} class={`line line-${key}`} d={line(values, (i) => toX(starts[i]! + interval / 2), scale(lineTop))} />
              ))}
              {marked && <rect class="marked" x={toX(marked[0])} y="0" width={toX(marked[1]) - toX(marked[0])} height={height} />}
              {ticks.map((tick) => {
                const x = toX(tick);
                return (
                  <g key={tick}>
                    <path class="base" d={`M${x.toFixed(1)} ${height}v3`} />
                    {x > 16 && x < width - 16 && (
                      <text x={x.toFixed(1)} y={height + 13}>
                        {clockText(tick, span)}
                      </text>
                    )}
                  </g>
                );
              })}
            </svg>
          </div>
        </div>
      )}
    </figure>
  );
}
