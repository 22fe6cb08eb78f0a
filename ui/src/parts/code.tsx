// Text that a trace holds: as it is, or laid out and coloured when it is JSON or a repr. Long text is folded.
import { useMemo, useState } from 'preact/hooks';
import { isData, layout } from '../pretty';
import { integer } from '../format';
import { Copy } from './copy';

const FOLD_LINES = 24;
const FOLD_CHARACTERS = 4000;

export function Code({ text, title, plain }: { text: string; title: string; plain?: boolean }) {
  const data = useMemo(() => !plain && isData(text), [text, plain]);
  const [raw, setRaw] = useState(false);
  const [open, setOpen] = useState(false);
  const shown = useMemo(() => (data && !raw ? layout(text) : [{ kind: 'plain' as const, text }]), [text, data, raw]);
  const lines = shown.reduce((sum, token) => sum + (token.text.split('\n').length - 1), 1);
  const long = lines > FOLD_LINES || text.length > FOLD_CHARACTERS;
  return (
    <div class="code">
      <header>
        <h2>{title}</h2>
        {!plain && <span class="faint">{integer(text.length)} {text.length === 1 ? 'character' : 'characters'}</span>}
        <span class="push" />
        {data && (
          <button type="button" class="quiet" aria-pressed={raw} onClick={() => setRaw(!raw)}>
            As sent
          </button>
        )}
        <Copy text={text} what={title.toLowerCase()} />
      </header>
      <pre class={long && !open ? 'folded' : ''} tabIndex={0} role="region" aria-label={title}>
        {shown.map((token) => (token.kind === 'plain' || token.kind === 'space' ? token.text : <span class={`t-${token.kind}`}>{token.text}</span>))}
      </pre>
      {long && (
        <button type="button" class="unfold" aria-expanded={open} onClick={() => setOpen(!open)}>
          {open ? 'Show less' : `Show all ${lines > FOLD_LINES ? `${integer(lines)} lines` : ''}`}
        </button>
      )}
    </div>
  );
}
