// The smallest thing that lets a component follow an object: a set of listeners and a hook.
import { useEffect, useReducer } from 'preact/hooks';

export class Store {
  private listeners = new Set<() => void>();

  subscribe(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  protected changed() {
    for (const listener of [...this.listeners]) listener();
  }
}

export function useStore<T extends Store>(store: T): T {
  const [, again] = useReducer((n: number) => n + 1, 0);
  useEffect(() => store.subscribe(() => again(undefined)), [store]);
  return store;
}
