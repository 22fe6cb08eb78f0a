// A secret that was just made. It is shown once: nobody, the receiver included, can say it again.
import type { ComponentChildren } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { Code } from './code';

export function Secret({ title, what, text, done, children }: { title: string; what: string; text: string; done: () => void; children?: ComponentChildren }) {
  const panel = useRef<HTMLElement>(null);
  useEffect(() => panel.current?.focus(), []);
  return (
    <section class="panel secret" aria-label={title} ref={panel} tabIndex={-1}>
      <header>
        <h2>{title}</h2>
        <span class="push" />
        <button type="button" onClick={done}>
          I have kept it
        </button>
      </header>
      <p>This is shown once. It is kept here as a hash only, so copy it now.</p>
      <Code plain title={what} text={text} />
      {children}
    </section>
  );
}
