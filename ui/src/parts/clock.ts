// One clock for everything that says "12 s ago" or ticks while it runs: a render a second, none while the tab is hidden.
import { useEffect, useReducer } from 'preact/hooks';

export function useNow(): number {
  const [, tick] = useReducer((n: number) => n + 1, 0);
  useEffect(() => {
    const timer = window.setInterval(() => document.hidden || tick(undefined), 1000);
    return () => window.clearInterval(timer);
  }, []);
  return Date.now();
}
