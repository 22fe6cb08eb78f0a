// The address bar is the page's state: / and /overview with the filters and the time range, /agents, /prompts, and
// /traces/<id>?... a trace over its list, with step= the selected part. Only "shown beside its list" is kept in
// history.state: a shared link opens a full page.
import { type Filter, FILTER_KEYS, STATUSES } from './api';
import { type Range, readRange, writeRange } from './range';
import { Store } from './store';

export type View = 'traces' | 'overview' | 'agents' | 'prompts';
const PATHS: Record<View, string> = { traces: '/', overview: '/overview', agents: '/agents', prompts: '/prompts' };

export interface Place {
  view: View;
  trace: string | null;
  step: string | null;
  filter: Filter;
  range: Range;
}

function read(): Place {
  const query = new URLSearchParams(location.search);
  const filter: Filter = {};
  for (const key of FILTER_KEYS) {
    const value = query.get(key);
    if (value && (key !== 'status' || (STATUSES as string[]).includes(value))) filter[key] = value;
  }
  const match = /^\/traces\/([0-9a-fA-F-]{32,36})\/?$/.exec(location.pathname);
  const view = (Object.keys(PATHS) as View[]).find((name) => PATHS[name] === location.pathname.replace(/(.)\/$/, '$1')) ?? 'traces';
  return { view, trace: match?.[1]?.toLowerCase().replaceAll('-', '') ?? null, step: query.get('step'), filter, range: readRange(query) };
}

/** The address of a place. */
export function address(place: Place): string {
  const query = new URLSearchParams();
  if (place.view === 'traces' || place.view === 'overview') {
    for (const key of FILTER_KEYS) {
      const value = place.filter[key];
      if (value) query.set(key, value);
    }
    writeRange(place.range, query);
  }
  if (place.trace && place.step) query.set('step', place.step);
  const text = query.toString();
  return (place.trace ? `/traces/${place.trace}` : PATHS[place.view]) + (text ? `?${text}` : '');
}

class Route extends Store {
  place = read();
  beside = history.state?.beside === true;

  constructor() {
    super();
    addEventListener('popstate', () => {
      this.place = read();
      this.beside = history.state?.beside === true;
      this.changed();
    });
  }

  /** A place from here: filters, range and view stay unless they are named. */
  at(next: Partial<Place>): Place {
    const { view, filter, range } = this.place;
    return { view: next.trace ? 'traces' : view, trace: null, step: null, filter, range, ...next };
  }

  go(next: Partial<Place>, how: { replace?: boolean; beside?: boolean } = {}) {
    this.place = this.at(next);
    this.beside = how.beside ?? this.beside;
    const url = address(this.place);
    const state = { beside: this.beside };
    if (how.replace || url === location.pathname + location.search) history.replaceState(state, '', url);
    else history.pushState(state, '', url);
    this.changed();
  }
}

export const route = new Route();
