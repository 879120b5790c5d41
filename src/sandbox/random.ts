/** Letters and digits that Kubernetes uses in generated names. */
const NAME_LETTERS = 'bcdfghjklmnpqrstvwxz2456789';

/** Seeded pseudo-random numbers (sfc32). The same calls in the same order give the same values; never for keys. */
export class Random {
  #a: number;
  #b: number;
  #c: number;
  #counter: number;

  constructor(seed: number) {
    this.#a = 0x9e3779b9;
    this.#b = Math.floor(seed / 0x1_0000_0000) | 0;
    this.#c = seed | 0;
    this.#counter = 1;
    for (let round = 0; round < 16; round += 1) this.#next();
  }

  /** An integer of `from` to `to`, both included. */
  integer(from: number, to: number): number {
    return from + Math.floor((this.#next() / 0x1_0000_0000) * (to - from + 1));
  }

  /** The random part of a generated name: 'x7k2p'. */
  suffix(length: number): string {
    return Array.from({ length }, () => NAME_LETTERS[this.integer(0, NAME_LETTERS.length - 1)]).join('');
  }

  /** A UUID of version 4. */
  uuid(): string {
    const hex = Array.from({ length: 4 }, () => this.#next().toString(16).padStart(8, '0')).join('');
    const variant = '89ab'[Number.parseInt(hex.charAt(16), 16) & 3];
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
  }

  /** Lower-case hexadecimal. */
  hex(digits: number): string {
    let text = '';
    while (text.length < digits) text += this.#next().toString(16).padStart(8, '0');
    return text.slice(0, digits);
  }

  #next(): number {
    const sum = (((this.#a + this.#b) | 0) + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (this.#c << 21) | (this.#c >>> 11);
    this.#c = (this.#c + sum) | 0;
    return sum >>> 0;
  }
}

/** FNV-1a of a text as Kubernetes writes hashes into names: '6d8f9c7b5'. */
export function nameHash(text: string): string {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at += 1) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  return [...String(hash >>> 0)]
    .map((digit) => NAME_LETTERS[digit.charCodeAt(0) % NAME_LETTERS.length])
    .join('');
}
