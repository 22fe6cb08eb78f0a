// A link to another place of the page: its address can be shared and opened elsewhere, a plain click moves without a load.
import type { ComponentChildren } from 'preact';
import { address, type Place, route } from '../route';

interface Props {
  to: Partial<Place>;
  class?: string;
  current?: 'page' | 'true' | undefined;
  children: ComponentChildren;
}

export function Link({ to, class: name = 'link', current, children }: Props) {
  const click = (event: MouseEvent) => {
    if (event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    route.go(to);
  };
  return (
    <a class={name} href={address(route.at(to))} aria-current={current} onClick={click}>
      {children}
    </a>
  );
}
