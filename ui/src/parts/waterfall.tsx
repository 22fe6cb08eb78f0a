// The tree on its time axis: one row a node, its bar where it was and as long as it took. Inside an LLM call the part
// before the first chunk is lighter. Up and down move the selection.
import { useRef } from 'preact/hooks';
import { duration, trimmed } from '../format';
import { type Node, type Tree, ticks } from '../tree';

const WORDS = { trace: 'trace', step: 'step', llm: 'LLM call', tool: 'tool call', child: 'called trace' };

function Bar({ node, length }: { node: Node; length: number }) {
  const start = (node.start / length) * 100;
  const wide = ((node.length ?? 0) / length) * 100;
  const first = node.firstChunk !== null && node.length ? Math.min(100, (node.firstChunk / node.length) * 100) : null;
  const text = node.length === null ? 'no duration' : duration(node.length);
  return (
    <span class="track">
      <span class={`bar kind-${node.kind} ${node.failed ? 'failed' : ''}`} style={{ left: `${start}%`, width: `${wide}%` }}>
        {first !== null && <span class="until-first" style={{ width: `${first}%` }} />}
      </span>
      <span class="time" style={{ left: `${start + wide}%` }}>
        {text}
      </span>
    </span>
  );
}

export function Waterfall({ tree, selected, select }: { tree: Tree; selected: string; select: (id: string) => void }) {
  const list = useRef<HTMLOListElement>(null);
  const marks = ticks(tree.length, 4);
  const move = (event: KeyboardEvent) => {
    const by = event.key === 'ArrowDown' ? 1 : event.key === 'ArrowUp' ? -1 : 0;
    if (!by || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    event.stopPropagation();
    const at = tree.nodes.findIndex((node) => node.id === selected) + by;
    const next = tree.nodes[at];
    if (!next) return;
    select(next.id);
    list.current?.querySelectorAll('button')[at]?.focus();
  };
  return (
    <section class="waterfall" aria-label="Timeline">
      <div class="axis" aria-hidden="true">
        <span />
        <span class="track">
          {marks.map((at) => (
            <span class="tick" style={{ left: `${(at / tree.length) * 100}%` }}>
              {at === 0 ? '0' : trimmed(duration(at))}
            </span>
          ))}
        </span>
      </div>
      <ol ref={list} onKeyDown={move}>
        {tree.nodes.map((node) => (
          <li key={node.id}>
            <button
              type="button"
              aria-current={node.id === selected}
              onClick={() => select(node.id)}
            >
              <span class="label" style={{ paddingLeft: `${node.depth * 14}px` }}>
                <span class={`dot kind-${node.kind} ${node.failed ? 'failed' : ''}`} />
                <span class="unseen">{`${node.failed ? 'failed ' : ''}${WORDS[node.kind]} `}</span>
                <span class="what">{node.label}</span>
                {node.detail && <span class="faint">{node.detail}</span>}
              </span>
              <Bar node={node} length={tree.length} />
            </button>
          </li>
        ))}
      </ol>
      {!tree.ordered && <p class="note">When each part started was not recorded: they are laid end to end, in their order.</p>}
    </section>
  );
}
