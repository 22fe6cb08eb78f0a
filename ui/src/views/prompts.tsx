// The prompts that the receiver keeps: which there are, and their newest versions.
import { useEffect, useState } from 'preact/hooks';
import { listPrompts, type Prompt } from '../api';
import { absolute, ago, integer, NONE } from '../format';
import { useNow } from '../parts/clock';
import { Copy } from '../parts/copy';

export function PromptsView() {
  const now = useNow();
  const [prompts, setPrompts] = useState<Prompt[] | null>(null);
  const [said, say] = useState('');
  useEffect(() => {
    listPrompts().then(
      (answer) => {
        setPrompts(answer?.prompts ?? []);
        if (!answer) say('This receiver shows no prompts to this reader.');
      },
      (error: Error) => say(error.message),
    );
  }, []);
  return (
    <section class="manage" aria-label="Prompts" aria-busy={prompts === null && !said}>
      <section class="panel" aria-label="All prompts">
        <header>
          <h2>Prompts</h2>
        </header>
        {said && <p class="note">{said}</p>}
        {prompts?.length === 0 && !said && <p class="note">No prompt yet. A program or a script creates one with POST /api/v1/prompts.</p>}
        {prompts && prompts.length > 0 && (
          <div class="scroll" tabIndex={0} role="region" aria-label="Prompts, table">
            <table class="records">
              <thead>
                <tr>
                  <th scope="col">Name</th>
                  <th scope="col">Id</th>
                  <th scope="col">Newest version</th>
                  <th scope="col">Created</th>
                </tr>
              </thead>
              <tbody>
                {prompts.map((prompt) => (
                  <tr key={prompt.prompt_id}>
                    <th scope="row">{prompt.name}</th>
                    <td class="id">
                      <code>{prompt.prompt_id}</code> <Copy text={prompt.prompt_id} what={`id of ${prompt.name}`} />
                    </td>
                    <td class="number" data-label="version">{integer(prompt.version)}</td>
                    <td data-label="created">{prompt.created_at ? <time title={absolute(prompt.created_at)}>{ago(prompt.created_at, now)}</time> : NONE}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        )}
      </section>
    </section>
  );
}
