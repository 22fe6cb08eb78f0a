// The address bar is the page's state: /?status=&name=&agent= is a list, /traces/<id>?... a trace over that list, with
// step= the selected part. Only "shown beside its list" is kept in history.state: a shared link opens a full page.
import { type Filter, STATUSES } from './api';
import { Store } from './store';

export interface Place {
  trace: string | null;
  step: string | null;
  filter: Filter;
}

const FILTER_KEYS = ['status', 'name', 'agent'] as const;

function read(): Place {
  const query = new URLSearchParams(location.search);
  const filter: Filter = {};
  for (const key of FILTER_KEYS) {
    const value = query.get(key);
    if (value && (key !== 'status' || (STATUSES as string[]).includes(value))) filter[key] = value;
  }
  const match = /^\/traces\/([0-9a-fA-F-]{32,36})\/?$/.exec(location.pathname);
  return { trace: match?.[1]?.toLowerCase().replaceAll('-', '') ?? null, step: query.get('step'), filter };
}

/** The address of a place. */
export function address(place: Partial<Place>): string {
  const query = new URLSearchParams();
  for (const key of FILTER_KEYS) {
    const value = place.filter?.[key];
    if (value) query.set(key, value);
  }
  if (place.trace && place.step) query.set('step', place.step);
  const text = query.toString();
  return (place.trace ? `/traces/${place.trace}` : '/') + (text ? `?${text}` : '');
}

class Route extends Store {
  place = read();
  beside = history.state?.beside === true;
  /** True once the page has moved by itself: Back then stays on the page. */
  moved = false;

  constructor() {
    super();
    addEventListener('popstate', () => {
      this.place = read();
      this.beside = history.state?.beside === true;
      this.changed();
    });
  }

  go(next: Partial<Place>, how: { replace?: boolean; beside?: boolean } = {}) {
    this.place = { trace: null, step: null, filter: this.place.filter, ...next };
    this.beside = how.beside ?? this.beside;
    this.moved = true;
    const url = address(this.place);
    const state = { beside: this.beside };
    if (how.replace || url === location.pathname + location.search) history.replaceState(state, '', url);
    else history.pushState(state, '', url);
    this.changed();
  }
}

export const route = new Route();
