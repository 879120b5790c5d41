/** A command with its words; redirections are applied to its output. */
export interface Simple {
  readonly kind: 'simple';
  readonly assignments: readonly (readonly [string, string])[];
  readonly words: readonly string[];
  readonly stdoutTo: 'stdout' | 'stderr' | { readonly file: string };
  readonly stderrTo: 'stdout' | 'stderr' | { readonly file: string };
}

/** `while true; do …; done` */
export interface Loop {
  readonly kind: 'loop';
  readonly body: Script;
}

export type Script = readonly { readonly join: ';' | '&&' | '||'; readonly command: Simple | Loop }[];

interface Token {
  readonly text: string;
  readonly quoted: boolean;
}

const OPERATOR = /^(?:&&|\|\||;|\n|&>|[12]?>>?(?:&[12])?)/;

function word(text: string, from: number): { readonly token: Token; readonly end: number } {
  let at = from;
  let value = '';
  let quoted = false;
  while (at < text.length && !/[\s;]/.test(text.charAt(at)) && !/^(&&|\|\||[12]?>)/.test(text.slice(at))) {
    const letter = text.charAt(at);
    if (letter === "'" || letter === '"') {
      const close = text.indexOf(letter, at + 1);
      const end = close === -1 ? text.length : close;
      value += text.slice(at + 1, end);
      quoted = true;
      at = end + 1;
    } else if (letter === '\\') {
      value += text.charAt(at + 1);
      at += 2;
    } else {
      value += letter;
      at += 1;
    }
  }
  return { token: { text: value, quoted }, end: at };
}

function tokens(text: string): readonly Token[] {
  const found: Token[] = [];
  let at = 0;
  while (at < text.length) {
    const rest = text.slice(at);
    const operator = OPERATOR.exec(rest)?.[0];
    if (operator !== undefined) {
      found.push({ text: operator === '\n' ? ';' : operator, quoted: false });
      at += operator.length;
    } else if (/^\s/.test(rest)) at += 1;
    else if (rest.startsWith('#')) at += rest.indexOf('\n') === -1 ? rest.length : rest.indexOf('\n');
    else {
      const { token, end } = word(text, at);
      found.push(token);
      at = Math.max(end, at + 1);
    }
  }
  return found;
}

type Redirections = { -readonly [K in 'stdoutTo' | 'stderrTo']: Simple[K] };

function redirect(state: Redirections, operator: string, target: string | undefined): boolean {
  const side = operator.startsWith('2') ? 'stderrTo' : 'stdoutTo';
  if (operator.endsWith('&1')) state[side] = 'stdout';
  else if (operator.endsWith('&2')) state[side] = 'stderr';
  else {
    const file = { file: target ?? '/dev/null' };
    state[side] = file;
    if (operator === '&>') state.stderrTo = file;
    return true;
  }
  return false;
}

function simple(list: readonly Token[]): Simple {
  const assignments: [string, string][] = [];
  const words: string[] = [];
  const to: Redirections = { stdoutTo: 'stdout', stderrTo: 'stderr' };
  for (let at = 0; at < list.length; at += 1) {
    const token = list[at];
    if (token === undefined) break;
    const assignment = words.length === 0 ? /^([A-Za-z_]\w*)=(.*)$/s.exec(token.text) : null;
    if (!token.quoted && /^(?:&>|[12]?>)/.test(token.text))
      at += redirect(to, token.text, list[at + 1]?.text) ? 1 : 0;
    else if (assignment !== null) assignments.push([assignment[1] ?? '', assignment[2] ?? '']);
    else words.push(token.text);
  }
  return { kind: 'simple', assignments, words, ...to };
}

function closing(list: readonly Token[], from: number): number {
  let depth = 0;
  for (let at = from; at < list.length; at += 1) {
    if (list[at]?.quoted === true) continue;
    if (list[at]?.text === 'do') depth += 1;
    if (list[at]?.text === 'done') {
      depth -= 1;
      if (depth === 0) return at;
    }
  }
  return list.length;
}

function script(list: readonly Token[]): Script {
  const items: { join: ';' | '&&' | '||'; command: Simple | Loop }[] = [];
  let join: ';' | '&&' | '||' = ';';
  let at = 0;
  while (at < list.length) {
    const token = list[at];
    if (token === undefined) break;
    const separator = !token.quoted && (token.text === ';' || token.text === '&&' || token.text === '||');
    if (separator) {
      join = token.text as typeof join;
      at += 1;
    } else if (!token.quoted && (token.text === 'while' || token.text === 'until')) {
      const start = list.findIndex((other, index) => index > at && other.text === 'do');
      const end = closing(list, at);
      items.push({ join, command: { kind: 'loop', body: script(list.slice(start + 1, end)) } });
      join = ';';
      at = end + 1;
    } else {
      let end = at;
      while (
        end < list.length &&
        (list[end]?.quoted === true || !/^(?:;|&&|\|\|)$/.test(list[end]?.text ?? ''))
      )
        end += 1;
      items.push({ join, command: simple(list.slice(at, end)) });
      join = ';';
      at = end;
    }
  }
  return items;
}

/** The part of the shell that tests and seeded pods use: words, quotes, `;` `&&` `||`, redirections, endless loops. */
function parseShell(text: string): Script {
  return script(tokens(text));
}

/** The script of an argument vector: what follows `sh -c`, or the command itself. */
export function scriptOf(argv: readonly string[]): Script {
  const [file = '', flag = '', text = ''] = argv;
  const name = file.slice(file.lastIndexOf('/') + 1);
  if (['sh', 'bash', 'ash'].includes(name) && /^-[a-z]*c$/.test(flag)) return parseShell(text);
  return [
    {
      join: ';',
      command: { kind: 'simple', assignments: [], words: argv, stdoutTo: 'stdout', stderrTo: 'stderr' },
    },
  ];
}
