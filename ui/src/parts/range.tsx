// The time range: the usual ones one press away, and from one instant to another.
import { useState } from 'preact/hooks';
import { isNamed, type Named, type Range, rangeOf, RANGES, words } from '../range';
import { Dialog } from './dialog';

/** An instant as <input type=datetime-local> has it: local time. */
const local = (ms: number) => new Date(ms - new Date(ms).getTimezoneOffset() * 60_000).toISOString().slice(0, 19);

function Custom({ range, set, close }: { range: Range; set: (range: Range) => void; close: () => void }) {
  const seconds = isNamed(range) ? RANGES.find(([name]) => name === range)![2] || 86_400 : 0;
  const [from, setFrom] = useState(local(isNamed(range) ? Date.now() - seconds * 1000 : Date.parse(range.from)));
  const [to, setTo] = useState(local(isNamed(range) ? Date.now() : Date.parse(range.to)));
  const wrong = !(Date.parse(from) < Date.parse(to));
  const apply = (event: Event) => {
    event.preventDefault();
    if (wrong) return;
    set(rangeOf(Date.parse(from), Date.parse(to)));
    close();
  };
  return (
    <Dialog title="Time range" close={close}>
      <form class="form" onSubmit={apply}>
        <label>
          From
          <input type="datetime-local" step="1" required value={from} onInput={(event) => setFrom(event.currentTarget.value)} />
        </label>
        <label>
          To
          <input type="datetime-local" step="1" required value={to} onInput={(event) => setTo(event.currentTarget.value)} />
        </label>
        <p class="note" role="status">
          {wrong ? 'The range must begin before it ends.' : 'In the time of this computer.'}
        </p>
        <div class="actions">
          <button type="submit" class="main" disabled={wrong}>
            Show
          </button>
          <button type="button" onClick={close}>
            Cancel
          </button>
        </div>
      </form>
    </Dialog>
  );
}

export function RangePicker({ range, set }: { range: Range; set: (range: Range) => void }) {
  const [custom, openCustom] = useState(false);
  const choose = (name: string) => (name === 'custom' ? openCustom(true) : set(name as Named));
  return (
    <>
      <div class="segments wide-only" role="group" aria-label="Time range">
        {RANGES.map(([name, text, , whole]) => (
          <button type="button" key={name} aria-pressed={range === name} title={whole} onClick={() => set(name)}>
            {text}
          </button>
        ))}
        <button type="button" aria-pressed={!isNamed(range)} aria-haspopup="dialog" onClick={() => openCustom(true)}>
          {isNamed(range) ? 'Custom…' : words(range)}
        </button>
      </div>
      <label class="narrow-only">
        <span class="unseen">Time range</span>
        <select value={isNamed(range) ? range : 'set'} onChange={(event) => choose(event.currentTarget.value)}>
          {RANGES.map(([name, text]) => (
            <option key={name} value={name}>
              {text}
            </option>
          ))}
          {!isNamed(range) && <option value="set">{words(range)}</option>}
          <option value="custom">Custom…</option>
        </select>
      </label>
      {custom && <Custom range={range} set={set} close={() => openCustom(false)} />}
    </>
  );
}
