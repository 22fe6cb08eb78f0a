// A dialog over the page: Esc and a click beside it close it, and the focus goes back where it was.
import type { ComponentChildren } from 'preact';
import { useEffect, useRef } from 'preact/hooks';

export function Dialog({ title, close, children, class: name = '' }: { title: string; close: () => void; children: ComponentChildren; class?: string }) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const before = document.activeElement as HTMLElement | null;
    dialog.current?.showModal();
    return () => before?.focus?.();
  }, []);
  return (
    <dialog ref={dialog} class={name} aria-label={title} onClose={close} onClick={(event) => event.target === dialog.current && close()}>
      <h2>{title}</h2>
      {children}
    </dialog>
  );
}
