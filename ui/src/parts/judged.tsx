// What is thought of a trace: the receiver's checks with what they compared against, and the scores that it was given.
import type { Score } from '../api';
import type { Check } from '../checks';
import { absolute } from '../format';

const MARKS = { true: ['✓', 'passed', 'good'], false: ['✗', 'failed', 'bad'], null: ['–', 'not known', 'open'] } as const;

export function Judged({ checks, scores }: { checks: Check[]; scores: Score[] }) {
  if (!checks.length && !scores.length) return null;
  return (
    <div class="judged">
      {checks.length > 0 && (
        <section class="panel" aria-label="Checks">
          <header>
            <h2>Checks</h2>
            <span class="faint">by the receiver</span>
          </header>
          <ul class="checks">
            {checks.map(({ name, passed, text }) => {
              const [mark, word, kind] = MARKS[`${passed}`];
              return (
                <li key={name} class={kind}>
                  <span class="mark" aria-hidden="true">
                    {mark}
                  </span>
                  <span class="unseen">{`${word}: `}</span>
                  <span class="what">{name}</span> <span class="faint">{text}</span>
                </li>
              );
            })}
          </ul>
        </section>
      )}
      {scores.length > 0 && (
        <section class="panel" aria-label="Scores">
          <header>
            <h2>Scores</h2>
          </header>
          <ul class="checks">
            {scores.map((score, i) => (
              <li key={i} title={score.created_at && absolute(score.created_at)}>
                <span class="number value">{String(score.value ?? '')}</span> <span class="what">{score.name ?? 'score'}</span>{' '}
                <span class="faint">{[score.comment, score.source && `from ${score.source}`].filter(Boolean).join(' · ')}</span>
              </li>
            ))}
          </ul>
        </section>
      )}
    </div>
  );
}
