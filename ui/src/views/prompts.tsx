// The prompts that the receiver keeps: which there are, and what their versions say.
import { useEffect, useState } from 'preact/hooks';
import { getPrompt, listPrompts, type Prompt, type PromptVersion } from '../api';
import { absolute, ago, integer, NONE } from '../format';
import { useNow } from '../parts/clock';
import { Code } from '../parts/code';
import { Copy } from '../parts/copy';

/** What one prompt says, newest version first. */
function Versions({ prompt, close }: { prompt: Prompt; close: () => void }) {
  const [versions, setVersions] = useState<PromptVersion[]>([]);
  const [chosen, choose] = useState(0);
  const [more, setMore] = useState(false);
  const [error, setError] = useState('');
  useEffect(() => {
    const request = new AbortController();
    getPrompt(prompt.prompt_id, request.signal).then(
      (answer) => {
        setVersions(answer.versions);
        setMore(answer.next_before !== null);
      },
      (reason: Error) => request.signal.aborted || setError(reason.message),
    );
    return () => request.abort();
  }, [prompt]);
  const version = versions[chosen];
  return (
    <section class="panel" aria-label={`Prompt ${prompt.name}`}>
      <header>
        <h2>{prompt.name}</h2>
        <span class="push" />
        {versions.length > 1 && (
          <label>
            <span class="unseen">Version</span>
            <select value={chosen} onChange={(event) => choose(Number(event.currentTarget.value))}>
              {versions.map((one, i) => (
                <option key={one.version} value={i}>
                  {`Version ${one.version}, ${absolute(one.created_at).slice(0, 16)}`}
                </option>
              ))}
            </select>
          </label>
        )}
        <button type="button" class="quiet" onClick={close}>
          Close
        </button>
      </header>
      {error && (
        <p class="problem-line" role="alert">
          {error}
        </p>
      )}
      {version && <Code key={version.version} plain title={`Version ${version.version}`} text={version.content} />}
      {more && <p class="note">There are older versions: GET /api/v1/prompts/{prompt.prompt_id}?before=N has them.</p>}
    </section>
  );
}

export function PromptsView() {
  const now = useNow();
  const [prompts, setPrompts] = useState<Prompt[] | null>(null);
  const [said, say] = useState('');
  const [open, setOpen] = useState<Prompt | null>(null);
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
      {open && <Versions key={open.prompt_id} prompt={open} close={() => setOpen(null)} />}
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
                  <th scope="col">Changed</th>
                </tr>
              </thead>
              <tbody>
                {prompts.map((prompt) => {
                  const changed = prompt.changed_at ?? prompt.created_at;
                  return (
                    <tr key={prompt.prompt_id}>
                      <th scope="row">
                        <button type="button" class="name" aria-expanded={open?.prompt_id === prompt.prompt_id} onClick={() => setOpen(prompt)}>
                          {prompt.name}
                        </button>
                      </th>
                      <td class="id">
                        <code>{prompt.prompt_id}</code> <Copy text={prompt.prompt_id} what={`id of ${prompt.name}`} />
                      </td>
                      <td class="number" data-label="version">
                        {integer(prompt.version)}
                      </td>
                      <td data-label="changed">{changed ? <time title={absolute(changed)}>{ago(changed, now)}</time> : NONE}</td>
                    </tr>
                  );
                })}
              </tbody>
            </table>
          </div>
        )}
      </section>
    </section>
  );
}
