// JSON and Python reprs, broken into coloured tokens and, when they are long, laid out over lines. Works on text that
// was cut in the middle, changes nothing but white space outside strings, and never evaluates anything.

export type TokenKind = 'string' | 'number' | 'word' | 'key' | 'mark' | 'plain' | 'space';
export interface Token {
  kind: TokenKind;
  text: string;
}

const LONGEST = 200_000; // characters; beyond that the text is shown as it is
const WIDTH = 76;
const DEEPEST = 60;

const PATTERN =
  /([bruf]{0,2}"(?:[^"\\]|\\[^])*(?:"|$)|[bruf]{0,2}'(?:[^'\\]|\\[^])*(?:'|$))|(-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?\b)|([{}[\](),:])|(\b(?:true|false|null|None|True|False|NaN|inf|nan)\b)|(\s+)|([\p{L}_][\p{L}\p{N}_.]*|[^])/gu;

/** Whether the text looks like data rather than prose. */
export function isData(text: string): boolean {
  return text.length <= LONGEST && /^\s*(?:[{[]|\(.*,|['"](?:[^'"\\]|\\.)*['"]\s*$)/su.test(text.slice(0, 2000)) && !/^\[\p{L}+\] /u.test(text);
}

export function tokens(text: string): Token[] {
  const found: Token[] = [];
  for (const match of text.matchAll(PATTERN)) {
    const [whole, string, number, mark, word, space] = match;
    const kind: TokenKind = string ? 'string' : number ? 'number' : mark ? 'mark' : word ? 'word' : space ? 'space' : 'plain';
    if (mark === ':' && found.at(-1)?.kind === 'string') found.at(-1)!.kind = 'key';
    found.push({ kind, text: whole });
  }
  return found;
}

type Item = Token | Group;
interface Group {
  open: Token;
  items: Item[];
  close: Token | null;
  width: number;
}

const isGroup = (item: Item): item is Group => 'items' in item;
const CLOSES: Record<string, string> = { '{': '}', '[': ']', '(': ')' };

function group(flat: Token[]): Item[] | null {
  const root: Item[] = [];
  const open: Group[] = [];
  for (const token of flat) {
    if (token.kind === 'space') continue;
    const into = open.at(-1)?.items ?? root;
    if (token.kind === 'mark' && CLOSES[token.text]) {
      if (open.length >= DEEPEST) return null;
      const made: Group = { open: token, items: [], close: null, width: 0 };
      into.push(made);
      open.push(made);
    } else if (token.kind === 'mark' && '}])'.includes(token.text)) {
      const last = open.pop();
      if (!last || CLOSES[last.open.text] !== token.text) return null;
      last.close = token;
    } else into.push(token);
  }
  return root;
}

function measure(items: Item[]): number {
  let sum = 0;
  for (const item of items) {
    if (isGroup(item)) item.width = measure(item.items) + 2;
    sum += isGroup(item) ? item.width : item.text.length + (item.text === ',' || item.text === ':' ? 1 : 0);
  }
  return sum;
}

/** The tokens with line breaks and indentation; the tokens as they came when the text is no well-formed data. */
export function layout(text: string): Token[] {
  const flat = tokens(text);
  const items = group(flat);
  if (!items) return flat;
  measure(items);
  const out: Token[] = [];
  const space = (text: string) => out.push({ kind: 'space', text });
  const write = (list: Item[], indent: number, broken: boolean) => {
    let previous: Item | null = null;
    for (const item of list) {
      if (previous && !isGroup(previous) && previous.text === ',') space(broken ? `\n${' '.repeat(indent)}` : ' ');
      else if (previous && !isGroup(previous) && previous.text === ':') space(' ');
      else if (previous && !isGroup(item) && item.kind !== 'mark' && !isGroup(previous) && previous.kind !== 'mark' && wordy(previous, item)) space(' ');
      if (isGroup(item)) {
        const split = item.items.length > 0 && indent + item.width > WIDTH;
        out.push(item.open);
        if (split) space(`\n${' '.repeat(indent + 2)}`);
        write(item.items, split ? indent + 2 : indent, split);
        if (split && item.close) space(`\n${' '.repeat(indent)}`);
        if (item.close) out.push(item.close);
      } else out.push(item);
      previous = item;
    }
  };
  write(items, 0, false);
  return out;
}

/** Two tokens that had white space between them and would read as one without it. */
function wordy(a: Token, b: Token): boolean {
  return /[\p{L}\p{N}_"']$/u.test(a.text) && /^[\p{L}\p{N}_"']/u.test(b.text);
}
