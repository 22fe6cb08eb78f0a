// The page's frame: who is logged in, which view the address asks for, the keys that work everywhere.
import { render } from 'preact';
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { Agents } from './agents';
import { isAdmin, logOut, onLoggedOut, session, who } from './api';
import { TraceList } from './list';
import { Live } from './live';
import { Keys } from './parts/keys';
import { Link } from './parts/link';
import { route, type View } from './route';
import { Numbers } from './stats';
import { useStore } from './store';
import { AgentsView } from './views/agents';
import { Login, Unreachable } from './views/login';
import { GROUPS, Overview } from './views/overview';
import { PromptsView } from './views/prompts';
import { TraceView } from './views/trace';
import { open, roomBeside, Traces } from './views/traces';

function LiveState({ live }: { live: Live }) {
  const { state } = useStore(live);
  const words = { connecting: 'connecting…', live: 'live', lost: 'connection lost, trying again…' };
  return (
    <span class={`live live-${state}`} role="status">
      <span class="pulse" aria-hidden="true" />
      <span class="say">{words[state]}</span>
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

const TITLES: Record<View, string> = { traces: 'Traces', overview: 'Overview', agents: 'Agents', prompts: 'Prompts' };

/** The views that this reader may see. */
const views = (): View[] => ['traces', 'overview', ...(who.agent_id ? [] : ['prompts' as const]), ...(isAdmin() ? ['agents' as const] : [])];

function Navigation({ current, link }: { current: View; link: boolean }) {
  return (
    <nav aria-label="Views">
      {views().map((view) => (
        <Link key={view} class="" to={{ view }} current={view === current ? (link ? 'true' : 'page') : undefined}>
          {TITLES[view]}
        </Link>
      ))}
    </nav>
  );
}

function App() {
  const list = useMemo(() => new TraceList(), []);
  const numbers = useMemo(() => new Numbers(), []);
  const agents = useMemo(() => new Agents(), []);
  const live = useMemo(
    () =>
      new Live(
        (traces) => {
          list.take(traces);
          numbers.touch();
        },
        () => {
          void list.heal();
          numbers.touch();
        },
      ),
    [],
  );
  const { place, beside } = useStore(route);
  useStore(list);
  const [marked, mark] = useState<string | null>(null);
  const [keys, showKeys] = useState(false);
  const [room, setRoom] = useState(roomBeside);
  const field = useRef<HTMLInputElement>(null);
  const { view } = place;
  const shown = JSON.stringify([place.filter, place.range]);

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
  const listed = useRef('');
  useEffect(() => {
    // The list is read only where it is seen; what was read stays for the next time.
    if (view !== 'traces' || listed.current === shown) return;
    listed.current = shown;
    void list.show(place.filter, place.range);
  }, [view, shown]);
  useEffect(() => {
    if (view === 'traces') numbers.show(place.filter, place.range);
    else if (view === 'overview') numbers.show(place.filter, place.range, GROUPS);
    else numbers.hide();
  }, [view, shown]);
  useEffect(() => {
    agents.want();
  }, []);
  useEffect(() => {
    if (place.trace) choose(place.trace);
    else document.title = `${TITLES[view]} · Infinium`;
  }, [place.trace, view]);

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
      const inList = route.place.view === 'traces';
      if (!inList && ['j', 'k', 'ArrowDown', 'ArrowUp', 'Enter', 'Escape', 'n'].includes(event.key)) return;
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
        case 't':
        case 'o':
          route.go({ view: event.key === 't' ? 'traces' : 'overview' });
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

  return (
    <>
      <header class="top">
        <Link class="brand" to={{ view: 'traces', filter: {} }}>
          <Logo /> <span class="word">Infinium</span>
        </Link>
        <Navigation current={view} link={place.trace !== null} />
        {!place.trace && <h1 class="unseen">{TITLES[view]}</h1>}
        <span class="push" />
        <LiveState live={live} />
        <button type="button" class="quiet" aria-label="Keys" onClick={() => showKeys(true)}>
          <kbd>?</kbd>
        </button>
        <button type="button" class="quiet" onClick={() => void logOut().catch(() => {})}>
          Log out
        </button>
      </header>
      <main class={`views ${place.trace ? (split ? 'split' : 'single') : ''}`}>
        {view === 'traces' && <Traces list={list} numbers={numbers} agents={agents} selected={selected} field={field} />}
        {place.trace && <TraceView id={place.trace} summary={list.get(place.trace)} beside={split} close={close} />}
        {view === 'overview' && <Overview numbers={numbers} agents={agents} field={field} />}
        {view === 'agents' && <AgentsView agents={agents} />}
        {view === 'prompts' && <PromptsView />}
      </main>
      {keys && <Keys close={() => showKeys(false)} />}
    </>
  );
}

type State = 'asking' | 'in' | 'out' | { failed: string };

function Page() {
  const [state, setState] = useState<State>('asking');
  const ask = () => {
    session().then(
      (valid) => setState(valid ? 'in' : 'out'),
      (error: Error) => setState({ failed: error.message }),
    );
  };
  useEffect(() => {
    onLoggedOut(() => setState('out'));
    ask();
  }, []);
  if (state === 'asking') return null;
  if (state === 'in') return <App />;
  if (state === 'out') return <Login />;
  return <Unreachable message={state.failed} again={ask} />;
}

render(<Page />, document.getElementById('page')!);
