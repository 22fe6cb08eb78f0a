// A table whose rows are virtual: only those in sight (and a few around) are in the document, whatever their number.
// All rows have the same height. Roles say what a real table would.
import type { ComponentChildren, RefObject } from 'preact';
import { useEffect, useLayoutEffect, useState } from 'preact/hooks';

const AROUND = 10; // rows kept ready above and below
const NEAR_END = 25; // rows before the end at which more are asked for

interface Props<T> {
  label: string;
  columns: [key: string, title: string][];
  rows: T[];
  rowHeight: number;
  scroller: RefObject<HTMLDivElement | null>;
  render: (row: T, index: number) => ComponentChildren;
  onScroll?: (top: number) => void;
  onNearEnd?: () => void;
  after?: ComponentChildren;
}

export function Table<T>({ label, columns, rows, rowHeight, scroller, render, onScroll, onNearEnd, after }: Props<T>) {
  const [seen, setSeen] = useState({ top: 0, height: 900 });
  const look = () => {
    const element = scroller.current;
    if (!element) return;
    setSeen({ top: element.scrollTop, height: element.clientHeight });
    onScroll?.(element.scrollTop);
  };
  useLayoutEffect(() => {
    const observer = new ResizeObserver(look);
    observer.observe(scroller.current!);
    return () => observer.disconnect();
  }, []);
  const first = Math.max(0, Math.floor(seen.top / rowHeight) - AROUND);
  const last = Math.min(rows.length, Math.ceil((seen.top + seen.height) / rowHeight) + AROUND);
  useEffect(() => {
    if (rows.length && last >= rows.length - NEAR_END) onNearEnd?.();
  }, [last, rows.length]);
  return (
    <div class="table" role="table" aria-label={label} aria-rowcount={rows.length + 1} aria-colcount={columns.length}>
      <div class="table-head" role="rowgroup">
        <div class="row" role="row" aria-rowindex={1}>
          {columns.map(([key, title]) => (
            <span key={key} class={`c-${key}`} role="columnheader">
              {key === 'status' ? <span class="unseen">{title}</span> : title}
            </span>
          ))}
        </div>
      </div>
      <div class="table-body" role="rowgroup" ref={scroller} onScroll={look} tabIndex={-1}>
        <div class="table-rows" role="presentation" style={{ height: `${rows.length * rowHeight}px` }}>
          <div class="table-window" role="presentation" style={{ transform: `translateY(${first * rowHeight}px)` }}>
            {rows.slice(first, last).map((row, i) => render(row, first + i))}
          </div>
        </div>
        {after}
      </div>
    </div>
  );
}
