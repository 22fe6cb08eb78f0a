// Tokens of one LLM call by kind, as one bar and its legend. Cached and cache-writing tokens are part of the prompt's,
// reasoning tokens of the completion's: they are shown inside, not beside.
import type { LlmCall } from '../api';
import { integer } from '../format';

export function Tokens({ call }: { call: LlmCall }) {
  const prompt = call.prompt_tokens ?? 0;
  const completion = call.completion_tokens ?? 0;
  const total = prompt + completion;
  if (!total) return null;
  const cached = Math.min(call.cached_tokens ?? 0, prompt);
  const written = Math.min(call.cache_write_tokens ?? 0, prompt - cached);
  const reasoning = Math.min(call.reasoning_tokens ?? 0, completion);
  const kinds: [string, string, number][] = [
    ['input', 'Input', prompt - cached - written],
    ['cached', 'Input, from cache', cached],
    ['written', 'Input, written to cache', written],
    ['reasoning', 'Output, reasoning', reasoning],
    ['output', 'Output', completion - reasoning],
  ];
  const present = kinds.filter(([, , n]) => n > 0);
  return (
    <section class="tokens" aria-label="Tokens">
      <h2>
        Tokens <span class="number">{integer(total)}</span>
      </h2>
      <div class="stacked" aria-hidden="true">
        {present.map(([kind, , n]) => (
          <span key={kind} class={`part part-${kind}`} style={{ width: `${(n / total) * 100}%` }} />
        ))}
      </div>
      <ul>
        {present.map(([kind, word, n]) => (
          <li key={kind}>
            <span class={`swatch part-${kind}`} /> {word} <span class="number">{integer(n)}</span>
          </li>
        ))}
      </ul>
    </section>
  );
}
