// Reads a stack trace's text into frames, so that the reader's own code stands out from libraries. Understands Python's
// traceback and "#0 function at file:line"; anything else stays plain lines.

export interface Part {
  kind: 'text' | 'frame' | 'final';
  lines: string[];
  library: boolean;
}

const LIBRARY = /site-packages|dist-packages|[\\/]lib(?:64)?[\\/]python\d|<frozen |importlib|[\\/]usr[\\/](?:lib|include)[\\/]|node_modules/;

export function parts(text: string): Part[] {
  const found: Part[] = [];
  for (const line of text.replace(/\n+$/, '').split('\n')) {
    const last = found.at(-1);
    if (/^\s+File "/.test(line) || /^\s*#\d+\s/.test(line)) found.push({ kind: 'frame', lines: [line], library: LIBRARY.test(line) });
    else if (last?.kind === 'frame' && /^\s{3,}\S/.test(line)) last.lines.push(line);
    else if (/^[A-Za-z_][\w.]*(?:Error|Exception|Warning|Interrupt|Exit|Group)?\b(?::\s|$)/.test(line) && last?.kind === 'frame')
      found.push({ kind: 'final', lines: [line], library: false });
    else if (last && last.kind !== 'frame') last.lines.push(line);
    else found.push({ kind: 'text', lines: [line], library: false });
  }
  return found;
}

/** Neighbouring library frames as one part. */
export function folded(text: string): Part[] {
  const result: Part[] = [];
  for (const part of parts(text)) {
    const last = result.at(-1);
    if (part.library && last?.library) last.lines.push(...part.lines);
    else result.push(part);
  }
  return result;
}
