import { useState } from 'preact/hooks';

async function write(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // Not a secure context (a receiver reached by name over plain HTTP): the old way.
    const area = document.createElement('textarea');
    area.value = text;
    area.className = 'unseen';
    document.body.append(area);
    area.select();
    const done = document.execCommand('copy');
    area.remove();
    return done;
  }
}

/** A button that puts `text` on the clipboard and says so. `what` completes its name: "Copy stack trace". */
export function Copy({ text, what }: { text: string; what: string }) {
  const [said, say] = useState('');
  const copy = async (event: Event) => {
    event.stopPropagation();
    say((await write(text)) ? 'Copied' : 'Not allowed');
    window.setTimeout(() => say(''), 1500);
  };
  return (
    <button type="button" class="quiet" aria-label={`Copy ${what}`} onClick={copy}>
      <span aria-live="polite">{said || 'Copy'}</span>
    </button>
  );
}
