// One field for words to search for and for filters ("model: ..."), with suggestions as a list below it (the combobox
// pattern: arrows choose, Enter takes, Esc closes).
import type { RefObject } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import type { Agent, Filter } from '../api';
import { ask, atOnce, type Field, type Suggestion, typed } from '../suggest';

const PAUSE_MS = 120; // of typing, before the receiver is asked

interface Props {
  field: RefObject<HTMLInputElement | null>;
  fields: readonly Field[];
  searchable: boolean;
  agents: Agent[];
  add: (filter: Filter) => void;
}

export function Search({ field, fields, searchable, agents, add }: Props) {
  const [text, setText] = useState('');
  const [open, setOpen] = useState(false);
  const [active, setActive] = useState(-1);
  const [known, setKnown] = useState<{ text: string; found: Suggestion[] }>({ text: '', found: [] });
  const list = useRef<HTMLUListElement>(null);

  useEffect(() => {
    if (!open) return;
    const request = new AbortController();
    const timer = window.setTimeout(() => {
      ask(text, fields, agents, request.signal).then(
        (found) => request.signal.aborted || setKnown({ text, found }),
        () => {}, // suggestions are a convenience: what is typed works without
      );
    }, PAUSE_MS);
    return () => {
      window.clearTimeout(timer);
      request.abort();
    };
  }, [text, open, agents]);

  const suggestions = open ? [...atOnce(text, fields, searchable), ...(known.text === text ? known.found : [])] : [];
  const write = (next: string) => {
    setText(next);
    setActive(-1);
    setOpen(true);
  };
  const take = (one: Suggestion) => {
    if (one.goOn !== undefined) {
      write(one.goOn);
      field.current?.focus();
      return;
    }
    add(one.filter!);
    setText('');
    setActive(-1);
    setOpen(false);
  };
  const key = (event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    const by = event.key === 'ArrowDown' ? 1 : event.key === 'ArrowUp' ? -1 : 0;
    if (by) {
      if (!open) setOpen(true);
      else {
        // From the field itself (-1) into the list and out of it again.
        const next = active + by;
        setActive(next >= suggestions.length ? -1 : next < -1 ? suggestions.length - 1 : next);
      }
    } else if (event.key === 'Enter') {
      const chosen = suggestions[active];
      if (chosen) take(chosen);
      else {
        const filter = typed(field.current!.value, fields, agents, searchable);
        if (!filter) return;
        add(filter);
        setText('');
        setOpen(false);
      }
    } else if (event.key === 'Escape' && open) setOpen(false);
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  useEffect(() => list.current?.querySelector('[aria-selected="true"]')?.scrollIntoView({ block: 'nearest' }), [active]);

  const what = searchable ? 'Search, or filter by name, model, tag…' : 'Filter by name, model, agent…';
  return (
    <div class="field">
      <input
        ref={field}
        type="text"
        role="combobox"
        aria-label={searchable ? 'Search and filter' : 'Filter'}
        aria-expanded={suggestions.length > 0}
        aria-controls="suggestions"
        aria-autocomplete="list"
        aria-activedescendant={active >= 0 ? `suggestion-${active}` : undefined}
        placeholder={what}
        autocomplete="off"
        autocapitalize="off"
        spellcheck={false}
        value={text}
        onInput={(event) => write(event.currentTarget.value)}
        onFocus={() => setOpen(true)}
        onClick={() => setOpen(true)}
        onBlur={() => setOpen(false)}
        onKeyDown={key}
      />
      <kbd aria-hidden="true">/</kbd>
      <ul id="suggestions" ref={list} class="suggestions" role="listbox" aria-label="Suggestions" hidden={suggestions.length === 0}>
        {suggestions.map((one, i) => (
          // The press must not take the focus from the field: it would close the list before the click.
          <li
            key={one.key}
            id={`suggestion-${i}`}
            role="option"
            aria-selected={i === active}
            onPointerDown={(event) => event.preventDefault()}
            onMouseDown={(event) => event.preventDefault()}
            onClick={() => take(one)}
          >
            <span class="group">{one.group}</span> <span class="value">{one.label}</span> <span class="faint">{one.note}</span>
          </li>
        ))}
      </ul>
    </div>
  );
}
