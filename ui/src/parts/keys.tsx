// The list of keys, as a dialog over the page.
import { Dialog } from './dialog';

const KEYS: [string[], string][] = [
  [['j', '↓'], 'next trace'],
  [['k', '↑'], 'previous trace'],
  [['Enter'], 'open the trace'],
  [['Esc'], 'close the trace, leave a field'],
  [['n'], 'show new traces'],
  [['/'], 'search and filter'],
  [['←', '→'], 'in a plot: move through time'],
  [['Shift', '→'], 'in a plot: mark a range; Enter takes it'],
  [['t'], 'traces'],
  [['o'], 'overview'],
  [['?'], 'this list'],
];

export function Keys({ close }: { close: () => void }) {
  return (
    <Dialog title="Keys" class="keys" close={close}>
      <dl>
        {KEYS.map(([keys, what]) => (
          <div key={what}>
            <dt>
              {keys.map((key) => (
                <kbd key={key}>{key}</kbd>
              ))}
            </dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
      <button type="button" onClick={close}>
        Close
      </button>
    </Dialog>
  );
}
