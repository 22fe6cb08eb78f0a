// An error: type, message, stack trace. The reader's own frames are open, library frames folded.
import type { TraceError } from '../api';
import { folded } from '../stack';
import { Copy } from './copy';

export function Failure({ error }: { error: TraceError }) {
  const stack = typeof error.stack_trace === 'string' ? error.stack_trace : '';
  const notes = [error.error_code && `code ${error.error_code}`, error.recoverable && 'recoverable', error.retry_count ? `${error.retry_count} retries` : ''];
  return (
    <section class="failure" aria-label="Error">
      <header>
        <h2>{error.error_type || 'Error'}</h2>
        <span class="faint">{notes.filter(Boolean).join(' · ')}</span>
        <span class="push" />
        <Copy text={stack || `${error.error_type}: ${error.message}`} what={stack ? 'stack trace' : 'error'} />
      </header>
      {error.message && <p class="message">{error.message}</p>}
      {stack && (
        <div class="stack" tabIndex={0} role="region" aria-label="Stack trace">
          {folded(stack).map((part) => {
            const lines = <pre class={part.kind}>{part.lines.join('\n')}</pre>;
            if (!part.library) return lines;
            const count = part.lines.filter((line) => /^\s+File "|^\s*#\d/.test(line)).length;
            return (
              <details>
                <summary>{count === 1 ? '1 library frame' : `${count} library frames`}</summary>
                {lines}
              </details>
            );
          })}
        </div>
      )}
    </section>
  );
}
