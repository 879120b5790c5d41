/** A parsed expression. */
export type PatternNode =
  | { readonly type: 'one'; matches(character: string): boolean }
  | { readonly type: 'at'; readonly place: 'start' | 'end' | 'word-edge' }
  | { readonly type: 'all'; readonly parts: readonly PatternNode[] }
  | { readonly type: 'any'; readonly options: readonly PatternNode[] }
  | {
      readonly type: 'repeat';
      readonly part: PatternNode;
      readonly min: number;
      /** Undefined: without end. */
      readonly max: number | undefined;
    };

/** What an expression cannot have, or where it is broken. */
export class PatternError extends Error {}

const digit = (character: string) => character >= '0' && character <= '9';
const word = (character: string) => /^\w$/.test(character);
const space = (character: string) => /^\s$/.test(character);
const controls: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r' };

export const isWord = word;

/** Parses the part of regular expressions that can be matched in linear time: no back references, no look-around. */
export function parsePattern(text: string): PatternNode {
  const parser = new Parser([...text]);
  const node = parser.alternatives();
  if (!parser.atEnd) throw new PatternError('it has a ) too many');
  return node;
}

class Parser {
  readonly #text: readonly string[];
  #at = 0;

  constructor(text: readonly string[]) {
    this.#text = text;
  }

  get atEnd(): boolean {
    return this.#at >= this.#text.length;
  }

  alternatives(): PatternNode {
    const options = [this.#sequence()];
    while (this.#take('|')) options.push(this.#sequence());
    return { type: 'any', options };
  }

  #sequence(): PatternNode {
    const parts: PatternNode[] = [];
    while (!this.atEnd && this.#peek() !== '|' && this.#peek() !== ')')
      parts.push(this.#repeated(this.#atom()));
    return { type: 'all', parts };
  }

  #repeated(part: PatternNode): PatternNode {
    const bounds = this.#bounds();
    if (bounds === undefined) return part;
    // A line matches or it does not: greedy or not makes no difference.
    this.#take('?');
    if (this.#bounds() !== undefined) throw new PatternError('it repeats a repetition');
    return { type: 'repeat', part, ...bounds };
  }

  #bounds(): { readonly min: number; readonly max: number | undefined } | undefined {
    if (this.#take('*')) return { min: 0, max: undefined };
    if (this.#take('+')) return { min: 1, max: undefined };
    if (this.#take('?')) return { min: 0, max: 1 };
    const counted = /^\{(\d{1,3})(,(\d{1,3})?)?\}/.exec(this.#text.slice(this.#at, this.#at + 9).join(''));
    if (counted === null) return undefined;
    this.#at += counted[0].length;
    const min = Number(counted[1]);
    const max = counted[2] === undefined ? min : counted[3] === undefined ? undefined : Number(counted[3]);
    if (max !== undefined && max < min) throw new PatternError('it repeats fewer times than at least');
    return { min, max };
  }

  #atom(): PatternNode {
    const character = this.#next();
    switch (character) {
      case '.':
        return { type: 'one', matches: () => true };
      case '^':
        return { type: 'at', place: 'start' };
      case '$':
        return { type: 'at', place: 'end' };
      case '(':
        return this.#group();
      case '[':
        return this.#set();
      case '\\':
        return this.#escape();
      case '*':
      case '+':
      case '?':
        throw new PatternError(`there is nothing before ${character} to repeat`);
      default:
        return literal(character);
    }
  }

  #group(): PatternNode {
    if (this.#take('?') && !this.#take(':')) throw new PatternError('it has a look-around or a named group');
    const node = this.alternatives();
    if (!this.#take(')')) throw new PatternError('a ( is not closed');
    return node;
  }

  #escape(): PatternNode {
    const character = this.#next();
    if (character === 'b') return { type: 'at', place: 'word-edge' };
    if (character === 'k' || (digit(character) && character !== '0'))
      throw new PatternError('it has a back reference');
    return { type: 'one', matches: escaped(character) };
  }

  #set(): PatternNode {
    const inverse = this.#take('^');
    const tests: ((character: string) => boolean)[] = [];
    for (let first = true; first || this.#peek() !== ']'; first = false) {
      if (this.atEnd) throw new PatternError('a [ is not closed');
      tests.push(this.#member());
    }
    this.#next();
    return { type: 'one', matches: (character) => tests.some((test) => test(character)) !== inverse };
  }

  #member(): (character: string) => boolean {
    const from = this.#next();
    if (from === '\\') return escaped(this.#next());
    if (this.#peek() !== '-' || this.#text[this.#at + 1] === ']') return (character) => character === from;
    this.#next();
    const to = this.#next();
    if (to < from || to === '\\') throw new PatternError(`${from}-${to} is no range`);
    return (character) => character >= from && character <= to;
  }

  #peek(): string | undefined {
    return this.#text[this.#at];
  }

  #take(character: string): boolean {
    if (this.#peek() !== character) return false;
    this.#at++;
    return true;
  }

  #next(): string {
    const character = this.#text[this.#at++];
    if (character === undefined) throw new PatternError('it ends too early');
    return character;
  }
}

function literal(wanted: string): PatternNode {
  return { type: 'one', matches: (character) => character === wanted };
}

function escaped(name: string): (character: string) => boolean {
  const classes: Readonly<Record<string, (character: string) => boolean>> = { d: digit, w: word, s: space };
  const positive = classes[name];
  if (positive !== undefined) return positive;
  const negative = classes[name.toLowerCase()];
  if (negative !== undefined) return (character) => !negative(character);
  if (/^[a-zA-Z]$/.test(name) && controls[name] === undefined)
    throw new PatternError(`\\${name} has no meaning here`);
  const wanted = controls[name] ?? name;
  return (character) => character === wanted;
}
