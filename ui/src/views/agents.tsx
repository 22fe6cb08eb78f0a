// Who may send and who may read: agents with their secrets, and keys. For administrators.
import type { ComponentChildren } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import type { Agents } from '../agents';
import { type Agent, createAgent, createKey, isAdmin, type Key, listKeys, revokeAgent, revokeKey, rotateAgent, rotateKey } from '../api';
import { absolute, ago, NONE } from '../format';
import { useNow } from '../parts/clock';
import { Copy } from '../parts/copy';
import { Dialog } from '../parts/dialog';
import { Link } from '../parts/link';
import { Secret } from '../parts/secret';
import { Snippets } from '../parts/snippets';
import { useStore } from '../store';

const OVERLAPS: [seconds: number, text: string][] = [
  [0, 'at once'],
  [3600, 'in an hour'],
  [86_400, 'in a day'],
  [7 * 86_400, 'in a week'],
];
const EXPIRIES: [seconds: number, text: string][] = [
  [0, 'never'],
  [86_400, 'in a day'],
  [30 * 86_400, 'in 30 days'],
  [365 * 86_400, 'in a year'],
];

type Made = { agent: Agent; secret: string; fresh: boolean } | { key: string; role: string };
type Question = { title: string; text: string; verb: string; overlap?: boolean; act: (overlap: number) => Promise<void> };

const When = ({ at, now }: { at: string | null | undefined; now: number }) =>
  at ? (
    <time dateTime={at} title={absolute(at)}>
      {ago(at, now)}
    </time>
  ) : (
    <span class="faint">{NONE}</span>
  );

type Values = { [name: string]: string };
type Dated = { revoked: boolean; expires_at?: string | null };
const inForce = (one: Dated, now: number) => !one.revoked && !(one.expires_at && Date.parse(one.expires_at) <= now);
const inForceFirst = <T extends Dated>(all: T[], now: number) => [...all.filter((one) => inForce(one, now)), ...all.filter((one) => !inForce(one, now))];

/** A question before something that cannot be taken back. */
function Ask({ question, close, failed }: { question: Question; close: () => void; failed: (error: Error) => void }) {
  const [overlap, setOverlap] = useState(question.overlap ? 3600 : 0);
  const [busy, setBusy] = useState(false);
  const act = async (event: Event) => {
    event.preventDefault();
    setBusy(true);
    await question.act(overlap).catch(failed);
    close();
  };
  return (
    <Dialog title={question.title} close={close}>
      <form class="form" onSubmit={act}>
        <p>{question.text}</p>
        {question.overlap && (
          <label>
            The old one ends
            <select value={overlap} onChange={(event) => setOverlap(Number(event.currentTarget.value))}>
              {OVERLAPS.map(([seconds, text]) => (
                <option key={seconds} value={seconds}>
                  {text}
                </option>
              ))}
            </select>
          </label>
        )}
        <div class="actions">
          <button type="submit" class={question.overlap ? 'main' : 'danger'} disabled={busy}>
            {question.verb}
          </button>
          <button type="button" onClick={close}>
            Cancel
          </button>
        </div>
      </form>
    </Dialog>
  );
}

function List({ title, columns, empty, children, form }: { title: string; columns: string[]; empty: string; children: ComponentChildren[]; form: ComponentChildren }) {
  return (
    <section class="panel" aria-label={title}>
      <header>
        <h2>{title}</h2>
      </header>
      {form}
      {children.length === 0 ? (
        <p class="note">{empty}</p>
      ) : (
        <div class="scroll" tabIndex={0} role="region" aria-label={`${title}, table`}>
          <table class="records">
            <thead>
              <tr>
                {columns.map((column) => (
                  <th key={column} scope="col">
                    {column}
                  </th>
                ))}
                <th scope="col">
                  <span class="unseen">Actions</span>
                </th>
              </tr>
            </thead>
            <tbody>{children}</tbody>
          </table>
        </div>
      )}
    </section>
  );
}

/** A form of one line; `send` gets its values. Empties itself when that went well. */
function Line({ label, children, verb, send }: { label: string; children: ComponentChildren; verb: string; send: (values: Values) => Promise<boolean> }) {
  const [busy, setBusy] = useState(false);
  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    const form = event.currentTarget as HTMLFormElement;
    setBusy(true);
    const done = await send(Object.fromEntries([...new FormData(form)].map(([name, value]) => [name, String(value).trim()])));
    setBusy(false);
    if (done) form.reset();
  };
  return (
    <form class="line" aria-label={label} onSubmit={submit}>
      {children}
      <button type="submit" class="main" disabled={busy}>
        {verb}
      </button>
    </form>
  );
}

export function AgentsView({ agents }: { agents: Agents }) {
  useStore(agents);
  const now = useNow();
  const [keys, setKeys] = useState<Key[] | null>(null);
  const [made, setMade] = useState<Made | null>(null);
  const [question, setQuestion] = useState<Question | null>(null);
  const [error, setError] = useState<string | null>(null);
  const [role, setRole] = useState('read');

  const failed = (reason: Error) => setError(reason.message);
  const readKeys = () => listKeys().then((answer) => setKeys(answer?.keys ?? null), failed);
  useEffect(() => {
    if (!isAdmin()) return;
    void agents.read();
    void readKeys();
  }, []);
  if (!isAdmin())
    return (
      <section class="manage" aria-label="Agents and keys">
        <p class="note">Agents and keys are for administrators. The link that “infinium serve” prints logs one in.</p>
      </section>
    );

  const make = async (work: Promise<Made>) => {
    setError(null);
    try {
      setMade(await work);
      await Promise.all([agents.read(), readKeys()]);
      return true;
    } catch (reason) {
      failed(reason as Error);
      return false;
    }
  };
  const newAgent = ({ name }: Values) =>
    make(createAgent(name!).then(({ agent_id, secret }) => ({ agent: { agent_id, name: name!, created_at: new Date().toISOString(), revoked: false }, secret, fresh: true })));
  const newKey = ({ role, agent, name, expires }: Values) =>
    make(
      createKey({ role: role!, ...(role === 'read' && agent && { agent_id: agent }), ...(name && { name }), ...(Number(expires) && { expires_in_s: Number(expires) }) }).then(({ key }) => ({
        key,
        role: role!,
      })),
    );

  const actions = (what: string, name: string, over: boolean, rotate: (overlap: number) => Promise<unknown>, revoke: () => Promise<unknown>) =>
    over ? (
      <td />
    ) : (
      <td class="row-actions">
        <button
          type="button"
          class="quiet"
          aria-label={`New ${what} for ${name}`}
          onClick={() =>
            setQuestion({
              title: `New ${what}`,
              text: `${name} gets a new ${what}. The old one goes on working for a while, so that programs can change over.`,
              verb: `Make a new ${what}`,
              overlap: true,
              act: async (overlap) => void (await rotate(overlap)),
            })
          }
        >
          New {what}
        </button>
        <button
          type="button"
          class="quiet"
          aria-label={`Revoke ${name}`}
          onClick={() =>
            setQuestion({
              title: `Revoke ${name}?`,
              text: what === 'secret' ? 'Its programs can send no more traces. What they have sent stays.' : 'Whoever uses this key can read no more.',
              verb: 'Revoke',
              act: async () => {
                await revoke();
                setError(null);
                await Promise.all([agents.read(), readKeys()]);
              },
            })
          }
        >
          Revoke
        </button>
      </td>
    );

  return (
    <section class="manage" aria-label="Agents and keys">
      {error && (
        <p class="problem-line" role="alert">
          {error}
        </p>
      )}
      {made && 'agent' in made && (
        <Secret title={`${made.agent.name}: ${made.fresh ? 'its' : 'a new'} secret`} what="Secret" text={made.secret} done={() => setMade(null)}>
          <Snippets agent={made.agent.agent_id} secret={made.secret} />
        </Secret>
      )}
      {made && 'key' in made && <Secret title={`A new ${made.role} key`} what="Key" text={made.key} done={() => setMade(null)} />}
      <List
        title="Agents"
        columns={['Name', 'Id', 'Created', 'Last seen', 'State']}
        empty="No agent yet. Create one: it is who sends traces."
        form={
          <Line label="Create an agent" verb="Create agent" send={newAgent}>
            <label>
              <span>Name</span>
              <input name="name" required maxLength={200} autocomplete="off" placeholder="Mail desk" />
            </label>
          </Line>
        }
      >
        {inForceFirst(agents.all, now).map((agent) => (
          <tr key={agent.agent_id} class={agent.revoked ? 'revoked' : ''}>
            <th scope="row">
              <Link to={{ view: 'traces', filter: { agent: agent.agent_id }, range: 'all' }}>{agent.name}</Link>
            </th>
            <td class="id">
              <code>{agent.agent_id}</code> <Copy text={agent.agent_id} what={`id of ${agent.name}`} />
            </td>
            <td data-label="created">
              <When at={agent.created_at} now={now} />
            </td>
            <td data-label="last seen">
              <When at={agent.last_seen_at} now={now} />
            </td>
            <td>{agent.revoked ? 'revoked' : 'may send'}</td>
            {actions(
              'secret',
              agent.name,
              agent.revoked,
              (overlap) => make(rotateAgent(agent.agent_id, overlap).then(({ secret }) => ({ agent, secret, fresh: false }))),
              () => revokeAgent(agent.agent_id),
            )}
          </tr>
        ))}
      </List>
      {keys && (
        <List
          title="Keys"
          columns={['Name', 'May', 'Of', 'Created', 'Last used', 'Ends']}
          empty="No key yet. A key lets a program read, as this page does."
          form={
            <Line label="Create a key" verb="Create key" send={newKey}>
              <label>
                <span>Name</span>
                <input name="name" maxLength={200} autocomplete="off" placeholder="Dashboard" />
              </label>
              <label>
                <span>May</span>
                <select name="role" value={role} onChange={(event) => setRole(event.currentTarget.value)}>
                  <option value="read">read</option>
                  <option value="admin">administer</option>
                </select>
              </label>
              {role === 'read' && (
                <label>
                  <span>Of</span>
                  <select name="agent">
                    <option value="">all agents</option>
                    {agents.all.map((agent) => (
                      <option key={agent.agent_id} value={agent.agent_id}>
                        {agent.name}
                      </option>
                    ))}
                  </select>
                </label>
              )}
              <label>
                <span>Ends</span>
                <select name="expires">
                  {EXPIRIES.map(([seconds, text]) => (
                    <option key={seconds} value={seconds}>
                      {text}
                    </option>
                  ))}
                </select>
              </label>
            </Line>
          }
        >
          {inForceFirst(keys, now).map((key) => {
            const name = key.name || key.key_id.slice(0, 8);
            const over = !inForce(key, now);
            return (
              <tr key={key.key_id} class={over ? 'revoked' : ''}>
                <th scope="row">{name}</th>
                <td data-label="may">{key.role === 'admin' ? 'administer' : key.role}</td>
                <td data-label="of">{key.agent_id ? agents.name(key.agent_id) : 'all agents'}</td>
                <td data-label="created">
                  <When at={key.created_at} now={now} />
                </td>
                <td data-label="last used">
                  <When at={key.last_used_at} now={now} />
                </td>
                <td data-label="ends">{key.revoked ? 'revoked' : over ? 'ended' : key.expires_at ? <time dateTime={key.expires_at}>{absolute(key.expires_at).slice(0, 16)}</time> : 'never'}</td>
                {actions(
                  'key',
                  name,
                  over,
                  (overlap) => make(rotateKey(key.key_id, overlap).then((answer) => ({ key: answer.key, role: key.role }))),
                  () => revokeKey(key.key_id),
                )}
              </tr>
            );
          })}
        </List>
      )}
      {question && <Ask question={question} close={() => setQuestion(null)} failed={failed} />}
    </section>
  );
}
