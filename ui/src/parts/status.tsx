// A status is a shape, a colour and a word; never a colour alone.
import type { Status } from '../api';

const WORDS: Record<string, string> = { ok: 'ok', error: 'error', running: 'running', interrupted: 'interrupted' };

function shape(status: Status) {
  if (status === 'ok') return <path d="M3.2 8.4 6.6 11.7 12.8 4.8" />;
  if (status === 'error') return <path class="solid" d="M8 1.5 14.5 8 8 14.5 1.5 8ZM8 4.600v4.100M8 11.100v.3" />;
  if (status === 'running') return <path d="M8 2.500a5.5 5.5 0 1 1-5.5 5.5" />;
  return <path d="M8 2.500a5.5 5.5 0 0 1 0 11M8 2.500v11" />;
}

export function StatusMark({ status, word }: { status: Status; word?: boolean }) {
  return (
    <span class={`status status-${WORDS[status] ?? 'unknown'}`}>
      <svg viewBox="0 0 16 16" width="14" height="14" aria-hidden="true">
        {shape(status)}
      </svg>
      <span class={word ? 'word' : 'unseen'}>{status}</span>
    </span>
  );
}
