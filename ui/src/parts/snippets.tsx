// How a program sends its first trace: what it needs in its environment, and a few lines of Python or C.
import { useState } from 'preact/hooks';
import { Code } from './code';

const PYTHON = `from infinium import InfiniumClient
client = InfiniumClient()

@client.trace("Email Classifier")
def classify_email(body):
    return "billing"

classify_email("I was charged twice")
client.flush()`;

const C = `#include <infinium.h>

int main(void)
{
    inf_client *client;
    if (inf_open(&client, NULL) != INF_OK)
        return 1;
    INF_TRACE(client, "Email Classifier") {
        inf_input("%s", "I was charged twice");
        inf_output("%s", "billing");
    }
    return inf_close(client, 5000) == INF_OK ? 0 : 1;
}
/* cc program.c $(pkg-config --cflags --libs infinium) */`;

export const environment = (agent: string, secret: string) =>
  `export INFINIUM_AGENT_ID=${agent}
export INFINIUM_AGENT_SECRET=${secret}
export INFINIUM_BASE_URL=${location.origin}/api/v1`;

/** `agent` null: there is none yet. */
export function Snippets({ agent, secret }: { agent: string | null; secret: string | null }) {
  const [language, setLanguage] = useState<'Python' | 'C'>('Python');
  return (
    <>
      <Code plain title="Environment" text={environment(agent ?? '…', secret ? `'${secret}'` : '…')} />
      <div class="segments" role="group" aria-label="Language">
        {(['Python', 'C'] as const).map((one) => (
          <button type="button" key={one} aria-pressed={language === one} onClick={() => setLanguage(one)}>
            {one}
          </button>
        ))}
      </div>
      <Code plain key={language} title={language} text={language === 'C' ? C : PYTHON} />
    </>
  );
}
