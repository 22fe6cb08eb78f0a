// The empty list: how to send the first trace. It goes away by itself when that trace arrives.
import type { Agents } from '../agents';
import { isAdmin } from '../api';
import { Code } from '../parts/code';
import { Link } from '../parts/link';
import { Snippets } from '../parts/snippets';

export function Guide({ agents }: { agents: Agents }) {
  const agent = agents.all.filter(({ revoked }) => !revoked).at(-1);
  return (
    <div class="guide">
      <h2>No traces yet</h2>
      <p>Send the first one:</p>
      <ol>
        <li>
          {agent ? (
            <p>
              You have the agent <strong>{agent.name}</strong>. Its secret was shown when it was created.
            </p>
          ) : (
            <p>Create an agent, which is who sends. It gets an id and a secret.</p>
          )}
          {isAdmin() && (
            <p>
              <Link to={{ view: 'agents' }}>{agent ? 'Create another agent, or a new secret' : 'Create an agent'}</Link>, or in a terminal:
            </p>
          )}
          {(!agent || isAdmin()) && <Code plain title="Terminal" text='eval "$(infinium agent create my-agent --data DIR)"' />}
        </li>
        <li>
          <p>Decorate a function, or put a block around it, and run it.</p>
          <Snippets agent={agent?.agent_id ?? null} secret={null} />
        </li>
      </ol>
      <p class="waiting" role="status">
        <span class="pulse" aria-hidden="true" /> waiting for the first trace…
      </p>
    </div>
  );
}
