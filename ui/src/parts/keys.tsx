// The list of keys, as a dialog over the page.
import { useEffect, useRef } from 'preact/hooks';

const KEYS: [string[], string][] = [
  [['j', '↓'], 'next trace'],
  [['k', '↑'], 'previous trace'],
  [['Enter'], 'open the trace'],
  [['Esc'], 'close the trace, leave a field'],
  [['n'], 'show new traces'],
  [['/'], 'filter by name'],
  [['?'], 'this list'],
];

export function Keys({ close }: { close: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => dialog.current?.showModal(), []);
  return (
    <dialog ref={dialog} class="keys" aria-label="Keys" onClose={close} onClick={(event) => event.target === dialog.current && close()}>
      <h2>Keys</h2>
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
    </dialog>
  );
}
