/** A regular expression as a tree. */
export type PatternNode =
  | { readonly kind: 'empty' }
  | { readonly kind: 'character'; readonly test: (codePoint: number) => boolean }
  | {
      readonly kind: 'assertion';
      readonly name: 'start' | 'end' | 'line-start' | 'line-end' | 'word' | 'no-word';
    }
  | { readonly kind: 'sequence' | 'choice'; readonly parts: readonly PatternNode[] }
  | { readonly kind: 'repeat'; readonly part: PatternNode; readonly min: number; readonly max: number };

export class PatternError extends Error {}

interface Flags {
  readonly ignoreCase: boolean;
  readonly multiline: boolean;
  readonly dotAll: boolean;
}

type Test = (codePoint: number) => boolean;

const maxRepeat = 1000;
const maxDepth = 50;

/** Syntax of RE2 without named and Unicode classes: nothing that needs backtracking. Throws `PatternError`. */
export function parsePattern(source: string): PatternNode {
  const parser = new Parser(source);
  const node = parser.choice({ ignoreCase: false, multiline: false, dotAll: false }, 0);
  if (!parser.atEnd()) throw new PatternError('a ")" without its "("');
  return node;
}

export function isWord(codePoint: number): boolean {
  return isDigit(codePoint) || isLetter(codePoint) || codePoint === 0x5f;
}

class Parser {
  readonly #characters: readonly string[];
  #at = 0;

  constructor(source: string) {
    this.#characters = [...source];
  }

  atEnd(): boolean {
    return this.#at >= this.#characters.length;
  }

  choice(outer: Flags, depth: number): PatternNode {
    if (depth > maxDepth) throw new PatternError('too many groups inside one another');
    let flags = outer;
    const branches: PatternNode[] = [];
    let parts: PatternNode[] = [];
    while (!this.atEnd() && this.#peek() !== ')') {
      if (this.#take('|')) {
        branches.push({ kind: 'sequence', parts });
        parts = [];
        continue;
      }
      const changed = this.#flagGroup(flags);
      if (changed !== undefined) flags = changed;
      else parts.push(this.#repeated(this.#atom(flags, depth)));
    }
    branches.push({ kind: 'sequence', parts });
    return branches.length === 1 ? { kind: 'sequence', parts } : { kind: 'choice', parts: branches };
  }

  /** `(?i)`, `(?s)`, `(?m)`: from here to the end of the group. */
  #flagGroup(flags: Flags): Flags | undefined {
    const match = /^\(\?([ims]+)\)/.exec(this.#rest(8));
    if (match === null) return undefined;
    this.#at += match[0].length;
    return withFlags(flags, match[1] ?? '');
  }

  #atom(flags: Flags, depth: number): PatternNode {
    const character = this.#next();
    switch (character) {
      case '(':
        return this.#group(flags, depth);
      case '[':
        return { kind: 'character', test: this.#class(flags) };
      case '.':
        return { kind: 'character', test: flags.dotAll ? () => true : (code) => code !== 0x0a };
      case '^':
        return { kind: 'assertion', name: flags.multiline ? 'line-start' : 'start' };
      case '$':
        return { kind: 'assertion', name: flags.multiline ? 'line-end' : 'end' };
      case '\\':
        return this.#escape(flags);
      case '*':
      case '+':
      case '?':
        throw new PatternError(`nothing to repeat before "${character}"`);
      default:
        return { kind: 'character', test: literal(codeOf(character), flags) };
    }
  }

  #group(flags: Flags, depth: number): PatternNode {
    const prefix = /^\?(?:([ims]*):|P?<[A-Za-z_]\w*>)/.exec(this.#rest(40));
    if (prefix === null && this.#peek() === '?')
      throw new PatternError('look-around and other groups "(?…" are not supported');
    if (prefix !== null) this.#at += prefix[0].length;
    const node = this.choice(withFlags(flags, prefix?.[1] ?? ''), depth + 1);
    if (!this.#take(')')) throw new PatternError('a "(" without its ")"');
    return node;
  }

  #repeated(part: PatternNode): PatternNode {
    const counted = /^(?:([*+?])|\{(\d{1,4})(,(\d{0,4}))?\})/.exec(this.#rest(12));
    if (counted === null) return part;
    this.#at += counted[0].length;
    this.#take('?');
    if (/^[*+?]|^\{\d{1,4}(,\d{0,4})?\}/.test(this.#rest(12)))
      throw new PatternError('one repetition directly after another');
    const [, sign, low = '0', range, high = ''] = counted;
    const signs = { '*': [0, Infinity], '+': [1, Infinity], '?': [0, 1] } as const;
    if (sign === '*' || sign === '+' || sign === '?')
      return { kind: 'repeat', part, min: signs[sign][0], max: signs[sign][1] };
    const min = Number(low);
    const max = range === undefined ? min : high === '' ? Infinity : Number(high);
    if (min > maxRepeat || (max !== Infinity && max > maxRepeat) || max < min)
      throw new PatternError(`{${min},${max}} is no repetition; at most ${maxRepeat} are allowed`);
    return { kind: 'repeat', part, min, max };
  }

  #escape(flags: Flags): PatternNode {
    const character = this.#next();
    const assertions = { A: 'start', b: 'word', B: 'no-word', z: 'end' } as const;
    if (character === 'A' || character === 'b' || character === 'B' || character === 'z')
      return { kind: 'assertion', name: assertions[character] };
    const escaped = this.#escapedCharacter(character);
    return { kind: 'character', test: typeof escaped === 'number' ? literal(escaped, flags) : escaped };
  }

  /** After the backslash: a class, or the code point that is meant. */
  #escapedCharacter(character: string): Test | number {
    const known = classes[character];
    if (known !== undefined) return known;
    const controls: Readonly<Record<string, number>> = { f: 12, n: 10, r: 13, t: 9, v: 11 };
    const control = controls[character];
    if (control !== undefined) return control;
    if (character === 'x' || character === 'u') {
      const form = character === 'x' ? /^(?:([0-9a-fA-F]{2})|\{([0-9a-fA-F]{1,6})\})/ : /^([0-9a-fA-F]{4})/;
      const match = form.exec(this.#rest(8));
      if (match === null) throw new PatternError(`\\${character} needs hexadecimal digits`);
      this.#at += match[0].length;
      return Number.parseInt(match[1] ?? match[2] ?? '', 16);
    }
    if (/[1-9]/.test(character)) throw new PatternError('back references are not supported');
    if (/[A-Za-z0-9]/.test(character)) throw new PatternError(`\\${character} is not supported`);
    return codeOf(character);
  }

  #class(flags: Flags): Test {
    const negated = this.#take('^');
    const tests: Test[] = [];
    for (let first = true; first || this.#peek() !== ']'; first = false) {
      if (this.atEnd()) throw new PatternError('a "[" without its "]"');
      if (/^\[[:.=]/.test(this.#rest(2)))
        throw new PatternError('named classes such as [:alpha:] are not supported');
      const low = this.#classItem();
      if (typeof low === 'number' && this.#peek() === '-' && this.#rest(2) !== '-]') {
        this.#at += 1;
        const high = this.#classItem();
        if (typeof high !== 'number' || high < low)
          throw new PatternError('a range in "[…]" that is upside down');
        tests.push(between(low, high, flags));
      } else tests.push(typeof low === 'number' ? literal(low, flags) : low);
    }
    this.#at += 1;
    return (code) => tests.some((test) => test(code)) !== negated;
  }

  #classItem(): Test | number {
    const character = this.#next();
    return character === '\\' ? this.#escapedCharacter(this.#next()) : codeOf(character);
  }

  #peek(): string | undefined {
    return this.#characters[this.#at];
  }

  #next(): string {
    const character = this.#characters[this.#at];
    if (character === undefined) throw new PatternError('it ends in the middle');
    this.#at += 1;
    return character;
  }

  #take(character: string): boolean {
    if (this.#peek() !== character) return false;
    this.#at += 1;
    return true;
  }

  /** The next characters; the forms looked for here are ASCII, one code unit each. */
  #rest(length: number): string {
    return this.#characters.slice(this.#at, this.#at + length).join('');
  }
}

const classes: Readonly<Record<string, Test>> = {
  d: isDigit,
  D: (code) => !isDigit(code),
  s: isSpace,
  S: (code) => !isSpace(code),
  w: isWord,
  W: (code) => !isWord(code),
};

function withFlags(flags: Flags, letters: string): Flags {
  return {
    ignoreCase: flags.ignoreCase || letters.includes('i'),
    multiline: flags.multiline || letters.includes('m'),
    dotAll: flags.dotAll || letters.includes('s'),
  };
}

function literal(code: number, flags: Flags): Test {
  return between(code, code, flags);
}

function between(low: number, high: number, flags: Flags): Test {
  const inside: Test = (code) => code >= low && code <= high;
  return flags.ignoreCase ? (code) => inside(code) || otherCases(code).some(inside) : inside;
}

function otherCases(code: number): readonly number[] {
  const text = String.fromCodePoint(code);
  return [codeOf(text.toLowerCase()), codeOf(text.toUpperCase())];
}

function codeOf(character: string): number {
  return character.codePointAt(0) ?? 0;
}

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}

function isLetter(code: number): boolean {
  const lower = code | 0x20;
  return code < 0x80 && lower >= 0x61 && lower <= 0x7a;
}

function isSpace(code: number): boolean {
  return code === 0x20 || (code >= 0x09 && code <= 0x0d && code !== 0x0b);
}
