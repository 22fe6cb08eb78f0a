// What is thought of a trace: the receiver's checks with what they compared against, the verdict of a model, and the
// scores that it was given.
import type { Score } from '../api';
import type { Check, CheckStatus, Judgement } from '../checks';
import { absolute } from '../format';

const MARKS: Record<CheckStatus, [mark: string, word: string]> = { pass: ['✓', 'passed'], warn: ['!', 'warning'], fail: ['✗', 'failed'], not_checked: ['–', 'not checked'] };

function Line({ check }: { check: Check }) {
  const [mark, word] = MARKS[check.status];
  return (
    <li class={`check-${check.status}`}>
      <span class="mark" aria-hidden="true">
        {mark}
      </span>
      <div>
        <span class="unseen">{`${word}: `}</span>
        <span class="what">{check.title}</span> {check.subject && <q>{check.subject}</q>} <span>{check.detail}</span>{' '}
        {check.with && <span class="faint">{`Compared with ${check.with}.`}</span>}
      </div>
    </li>
  );
}

function Verdict({ judgement }: { judgement: Judgement }) {
  return (
    <section class="panel" aria-label="Judge">
      <header>
        <h2>Judge</h2>
        <span class="faint">a model's opinion</span>
      </header>
      <ul class="checks">
        <li class={`check-${judgement.status}`} title={judgement.at && absolute(judgement.at)}>
          <span class="mark" aria-hidden="true">
            {judgement.waiting ? '…' : MARKS[judgement.status][0]}
          </span>
          <div>
            <span class="what">{judgement.head}</span> <span>{judgement.text}</span> {judgement.from && <span class="faint">{judgement.from}</span>}
          </div>
        </li>
      </ul>
    </section>
  );
}

export function Judged({ checks, judgement, scores }: { checks: Check[]; judgement: Judgement | null; scores: Score[] }) {
  if (!checks.length && !judgement && !scores.length) return null;
  const checked = checks.filter(({ status }) => status !== 'not_checked');
  const others = checks.filter(({ status }) => status === 'not_checked');
  return (
    <div class="judged">
      {checks.length > 0 && (
        <section class="panel" aria-label="Checks">
          <header>
            <h2>Checks</h2>
            <span class="faint">by the receiver</span>
          </header>
          <ul class="checks">
            {checked.map((check, i) => (
              <Line key={i} check={check} />
            ))}
          </ul>
          {others.length > 0 && (
            <details>
              <summary>{`${others.length} not checked`}</summary>
              <ul class="checks">
                {others.map((check, i) => (
                  <Line key={i} check={check} />
                ))}
              </ul>
            </details>
          )}
        </section>
      )}
      {judgement && <Verdict judgement={judgement} />}
      {scores.length > 0 && (
        <section class="panel" aria-label="Scores">
          <header>
            <h2>Scores</h2>
          </header>
          <ul class="checks">
            {scores.map((score, i) => (
              <li key={i} title={score.created_at && absolute(score.created_at)}>
                <span class="number value">{String(score.value ?? '')}</span>
                <div>
                  <span class="what">{score.name ?? 'score'}</span> <span class="faint">{[score.comment, score.source && `from ${score.source}`].filter(Boolean).join(' · ')}</span>
                </div>
              </li>
            ))}
          </ul>
        </section>
      )}
    </div>
  );
}
