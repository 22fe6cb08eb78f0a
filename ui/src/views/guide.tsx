// The empty list: how to send the first trace. It goes away by itself when that trace arrives.
import { useEffect, useState } from 'preact/hooks';
import { type Agent, listAgents } from '../api';
import { Code } from '../parts/code';

export function Guide() {
  const [agents, setAgents] = useState<Agent[]>([]);
  useEffect(() => {
    listAgents().then(
      (answer) => setAgents(answer.agents.filter((agent) => !agent.revoked)),
      () => {}, // the guide is as good without
    );
  }, []);
  const agent = agents.at(-1);
  const python = `from infinium import InfiniumClient
client = InfiniumClient(
    agent_id="${agent?.agent_id ?? '…'}", agent_secret="…",
    base_url="${location.origin}/api/v1")

@client.trace("Email Classifier")
def classify_email(body: str) -> str:
    return "billing"

classify_email("I was charged twice")
client.flush()`;
  return (
    <div class="guide">
      <h1>No traces yet</h1>
      <p>Send the first one:</p>
      <ol>
        <li>
          {agent ? (
            <p>
              You have the agent <strong>{agent.name}</strong>. Its secret was printed when it was created.
            </p>
          ) : (
            <>
              <p>Create an agent. It prints an id and a secret.</p>
              <Code plain title="Terminal" text="infinium agent create my-agent --data DIR" />
            </>
          )}
        </li>
        <li>
          <p>Decorate a function and call it.</p>
          <Code plain title="Python" text={python} />
        </li>
      </ol>
      <p class="waiting" role="status">
        <span class="pulse" aria-hidden="true" /> waiting for the first trace…
      </p>
    </div>
  );
}
