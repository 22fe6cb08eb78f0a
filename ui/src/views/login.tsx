// Nobody is logged in: how to get a link. Also what is shown when the receiver does not answer at all.
export function Login() {
  return (
    <main class="alone">
      <h1>Log in with a link</h1>
      <p>The receiver prints a one-time link when it starts. Open that link in this browser.</p>
      <pre class="terminal">
        <span class="faint">$ </span>infinium serve --data DIR{'\n'}
        <span class="faint">listening on {location.origin}</span>
        {'\n'}
        <span class="faint">log in: </span>
        {location.origin}/login?token=…
      </pre>
      <p class="faint">A link works once. The session that it opens stays in this browser and can be used by nobody else.</p>
    </main>
  );
}

export function Unreachable({ message, again }: { message: string; again: () => void }) {
  return (
    <main class="alone">
      <h1>The receiver cannot be reached</h1>
      <p>{message}</p>
      <p>
        <button type="button" onClick={again}>
          Try again
        </button>
      </p>
      <p class="faint">Traced programs are not affected: they keep their traces in a journal and send them when the receiver is back.</p>
    </main>
  );
}
