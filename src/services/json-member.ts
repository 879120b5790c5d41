/**
 * The text of a member of a JSON text, as it stands there: numbers keep every digit, which parsing would lose.
 * `undefined` when there is none. The text must be valid JSON.
 */
export function rawMember(text: string, path: readonly string[]): string | undefined {
  let at: number | undefined = skipSpace(text, 0);
  for (const name of path) {
    at = text[at] === '{' ? memberStart(text, at, name) : undefined;
    if (at === undefined) return undefined;
  }
  return text.slice(at, valueEnd(text, at));
}

/** Where the value of a member begins; the last one counts when a name stands twice, as for a parser. */
function memberStart(text: string, object: number, name: string): number | undefined {
  let found: number | undefined;
  let at = skipSpace(text, object + 1);
  while (text[at] === '"') {
    const keyEnd = stringEnd(text, at);
    const key: unknown = JSON.parse(text.slice(at, keyEnd));
    const value = skipSpace(text, skipSpace(text, keyEnd) + 1);
    if (key === name) found = value;
    at = skipSpace(text, valueEnd(text, value));
    if (text[at] === ',') at = skipSpace(text, at + 1);
  }
  return found;
}

function valueEnd(text: string, start: number): number {
  let depth = 0;
  let at = start;
  while (at < text.length) {
    const char = text[at];
    if (char === '"') {
      at = stringEnd(text, at);
    } else if (depth === 0 && at > start && /[,}\]\s]/.test(char ?? '')) {
      return at;
    } else {
      if (char === '{' || char === '[') depth += 1;
      if (char === '}' || char === ']') depth -= 1;
      at += 1;
    }
    if (depth === 0 && /["}\]]/.test(text[at - 1] ?? '')) return at;
  }
  return at;
}

function stringEnd(text: string, start: number): number {
  let at = start + 1;
  while (text[at] !== '"' && at < text.length) at += text[at] === '\\' ? 2 : 1;
  return at + 1;
}

function skipSpace(text: string, start: number): number {
  let at = start;
  while (/\s/.test(text[at] ?? '')) at += 1;
  return at;
}
