// Server-sent events: one stream of summaries. The browser's EventSource resumes by itself (Last-Event-ID) after a
// broken connection; when it gives up (an error status), we start again. Events are handed over in batches, ten a second
// and fewer in a flood, so that thousands of traces a second leave the page usable. A tab that nobody sees has no stream:
// browsers open six connections to a host at most, and more tabs than that would wait for each other for ever.
import { session, type Summary } from './api';
import { Store } from './store';

const BATCH_MS = 100;
const FLOOD = 50; // events of a batch, after which the next one takes longer
const FLOOD_MS = 500;
const RETRY_MS = [500, 1000, 2000, 5000];

export type LiveState = 'connecting' | 'live' | 'lost';

export class Live extends Store {
  state: LiveState = 'connecting';
  private source: EventSource | null = null;
  private batch = new Map<string, Summary>();
  private timer = 0;
  private attempt = 0;
  private flooded = false;
  private slept = false;

  /** `deliver` gets what changed; `healed` is called when a lost connection is back. */
  constructor(
    private deliver: (traces: Summary[]) => void,
    private healed: () => void,
  ) {
    super();
  }

  start() {
    document.addEventListener('visibilitychange', this.seen);
    if (!document.hidden) this.connect();
  }

  private seen = () => {
    if (!document.hidden) return this.source ?? this.connect();
    this.source?.close();
    this.source = null;
    this.slept = true;
    return null;
  };

  private connect() {
    this.source?.close();
    const source = new EventSource('/api/v1/events');
    this.source = source;
    source.addEventListener('open', () => {
      const lost = this.state === 'lost' || this.slept;
      this.attempt = 0;
      this.slept = false;
      this.say('live');
      if (lost) this.healed();
    });
    source.addEventListener('resync', () => this.healed()); // changes were left out: the list is loaded again
    source.addEventListener('trace', (event) => {
      let summary: Summary;
      try {
        summary = JSON.parse((event as MessageEvent<string>).data) as Summary;
      } catch {
        return; // half an event is no event: the list's next load has it
      }
      this.batch.set(summary.trace_id, summary);
      this.timer ||= window.setTimeout(() => this.hand(), this.flooded ? FLOOD_MS : BATCH_MS);
    });
    source.addEventListener('error', () => {
      this.say('lost');
      if (source.readyState !== EventSource.CLOSED) return; // it tries again by itself
      const wait = RETRY_MS[Math.min(this.attempt++, RETRY_MS.length - 1)]!;
      window.setTimeout(() => {
        if (this.source !== source) return;
        // A session that has ended shows the log-in view (api.ts) instead of knocking for ever.
        session().then(
          (valid) => valid && this.connect(),
          () => this.connect(),
        );
      }, wait);
    });
  }

  stop() {
    document.removeEventListener('visibilitychange', this.seen);
    this.source?.close();
    this.source = null;
    window.clearTimeout(this.timer);
    this.timer = 0;
  }

  private hand() {
    this.timer = 0;
    const traces = [...this.batch.values()];
    this.flooded = traces.length > FLOOD;
    this.batch.clear();
    this.deliver(traces);
  }

  private say(state: LiveState) {
    if (this.state === state) return;
    this.state = state;
    this.changed();
  }
}
