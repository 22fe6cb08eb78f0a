// The page's frame: who is logged in, which view the address asks for, the keys that work everywhere.
import { render } from 'preact';
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { onLoggedOut, session } from './api';
import { TraceList } from './list';
import { Live } from './live';
import { Keys } from './parts/keys';
import { route } from './route';
import { useStore } from './store';
import { Login, Unreachable } from './views/login';
import { TraceView } from './views/trace';
import { open, roomBeside, Traces } from './views/traces';

function LiveState({ live }: { live: Live }) {
  const { state } = useStore(live);
  const words = { connecting: 'connecting…', live: 'live', lost: 'connection lost, trying again…' };
  return (
    <span class={`live live-${state}`} role="status">
      <span class="pulse" aria-hidden="true" />
      {words[state]}
    </span>
  );
}

function Logo() {
  return (
    <svg viewBox="0 0 32 32" width="20" height="20" aria-hidden="true" class="logo">
      <path d="M5 8h15M10 16h17M10 24h8" />
    </svg>
  );
}

function App() {
  const list = useMemo(() => new TraceList(), []);
  const live = useMemo(
    () =>
      new Live(
        (traces) => list.take(traces),
        () => list.heal(),
      ),
    [],
  );
  const { place, beside } = useStore(route);
  useStore(list);
  const [marked, mark] = useState<string | null>(null);
  const [keys, showKeys] = useState(false);
  const [room, setRoom] = useState(roomBeside);
  const field = useRef<HTMLInputElement>(null);
  const filter = `${place.filter.status}\n${place.filter.name}\n${place.filter.agent}`;

  const split = place.trace !== null && beside && room;
  const selected = place.trace ?? marked;
  const close = () => route.go({ trace: null });

  // Keys can come faster than renders: the handler reads what is true now, never what a render saw.
  const now = useRef({ marked, split });
  now.current.split = split;
  const choose = (id: string | null) => {
    now.current.marked = id;
    mark(id);
  };

  useEffect(() => {
    live.start();
    const resized = () => setRoom(roomBeside());
    addEventListener('resize', resized);
    return () => {
      live.stop();
      removeEventListener('resize', resized);
    };
  }, []);
  useEffect(() => {
    list.show(place.filter);
  }, [filter]);
  useEffect(() => {
    if (place.trace) choose(place.trace);
    else document.title = 'Traces · Infinium';
  }, [place.trace]);

  useEffect(() => {
    const move = (by: number) => {
      const current = route.place.trace ?? now.current.marked;
      const at = list.rows.findIndex((row) => row.trace_id === current);
      const next = list.rows[at < 0 ? 0 : at + by];
      if (!next) return;
      choose(next.trace_id);
      if (route.place.trace) route.go({ trace: next.trace_id }, { replace: true });
      // The row may only now come into sight.
      requestAnimationFrame(() => requestAnimationFrame(() => document.querySelector<HTMLElement>(`[data-id="${next.trace_id}"] a`)?.focus({ preventScroll: true })));
    };
    const key = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
      const target = event.target as HTMLElement;
      if (document.querySelector('dialog[open]')) return;
      if (target.matches('input, textarea, select')) {
        if (event.key === 'Escape') target.blur();
        return;
      }
      const { marked, split } = now.current;
      const { trace } = route.place;
      const scrolls = target.matches('pre, .stack'); // arrows scroll what has the focus
      switch (event.key) {
        case 'j':
          move(1);
          break;
        case 'k':
          move(-1);
          break;
        case 'ArrowDown':
        case 'ArrowUp':
          if (scrolls || (trace && !split)) return;
          move(event.key === 'ArrowDown' ? 1 : -1);
          break;
        case 'Enter':
          if (target.matches('a, button, summary') || !marked || trace) return;
          open(marked);
          break;
        case 'Escape':
          if (trace) close();
          else if (marked) choose(null);
          break;
        case 'n':
          document.querySelector<HTMLElement>('[data-action="reveal"]')?.click();
          break;
        case '/':
          if (trace && !split) close();
          requestAnimationFrame(() => field.current?.focus());
          break;
        case '?':
          showKeys(true);
          break;
        default:
          return;
      }
      event.preventDefault();
    };
    addEventListener('keydown', key);
    return () => removeEventListener('keydown', key);
  }, []);

  const home = (event: MouseEvent) => {
    if (event.button || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    route.go({ trace: null, filter: {} });
  };
  return (
    <>
      <header class="top">
        <a class="brand" href="/" onClick={home}>
          <Logo /> Infinium
        </a>
        {place.trace ? <span class="view">Traces</span> : <h1 class="view">Traces</h1>}
        <span class="push" />
        <LiveState live={live} />
        <button type="button" class="quiet" aria-label="Keys" onClick={() => showKeys(true)}>
          <kbd>?</kbd>
        </button>
      </header>
      <main class={`views ${place.trace ? (split ? 'split' : 'single') : ''}`}>
        <Traces list={list} selected={selected} field={field} />
        {place.trace && <TraceView id={place.trace} summary={list.get(place.trace)} beside={split} close={close} />}
      </main>
      {keys && <Keys close={() => showKeys(false)} />}
    </>
  );
}

type Who = 'asking' | 'in' | 'out' | { failed: string };

function Page() {
  const [who, setWho] = useState<Who>('asking');
  const ask = () => {
    session().then(
      (valid) => setWho(valid ? 'in' : 'out'),
      (error: Error) => setWho({ failed: error.message }),
    );
  };
  useEffect(() => {
    onLoggedOut(() => setWho('out'));
    ask();
  }, []);
  if (who === 'asking') return null;
  if (who === 'in') return <App />;
  if (who === 'out') return <Login />;
  return <Unreachable message={who.failed} again={ask} />;
}

render(<Page />, document.getElementById('page')!);
