/** Finds many byte strings at once (Aho–Corasick): one step per byte, however many patterns there are. */
export interface Automaton {
  readonly root: 0;
  /** The state after one more byte. */
  step(state: number, byte: number): number;
  /** Bytes at the end of what was read that may still grow into a match. */
  depth(state: number): number;
  /** Length of the longest pattern that ends here; 0 when none does. */
  matched(state: number): number;
  /** Label of that pattern. */
  label(state: number): string;
}

export function buildAutomaton(
  patterns: readonly { readonly bytes: Uint8Array; readonly label: string }[],
): Automaton {
  const size = patterns.reduce((total, { bytes }) => total + bytes.length, 1);
  const trie = new Trie(size);
  for (const { bytes, label } of patterns) trie.insert(bytes, label);
  trie.link();
  return trie;
}

/** Edges live in one open-addressed table keyed by state and byte; the root's in a plain array. */
class Trie implements Automaton {
  readonly root = 0;
  readonly #fromRoot = new Int32Array(256);
  readonly #keys: Int32Array;
  readonly #targets: Int32Array;
  readonly #mask: number;
  readonly #fail: Int32Array;
  readonly #depths: Int32Array;
  /** Depth of the longest suffix that can still grow; that of the state itself unless nothing follows it. */
  readonly #open: Int32Array;
  readonly #matches: Int32Array;
  readonly #labels: Int32Array;
  readonly #names: string[] = [];
  /** State and byte that lead to each state. */
  readonly #origin: Int32Array;
  #count = 1;

  constructor(size: number) {
    let slots = 16;
    while (slots < size * 2) slots *= 2;
    this.#mask = slots - 1;
    this.#keys = new Int32Array(slots).fill(-1);
    this.#targets = new Int32Array(slots);
    this.#fail = new Int32Array(size);
    this.#depths = new Int32Array(size);
    this.#open = new Int32Array(size);
    this.#matches = new Int32Array(size);
    this.#labels = new Int32Array(size);
    this.#origin = new Int32Array(size);
  }

  insert(bytes: Uint8Array, label: string): void {
    let state = 0;
    for (const byte of bytes) {
      const next = this.#edge(state, byte);
      state = next === 0 ? this.#grow(state, byte) : next;
    }
    let index = this.#names.indexOf(label);
    if (index === -1) index = this.#names.push(label) - 1;
    this.#matches[state] = bytes.length;
    this.#labels[state] = index;
  }

  /** Fail links, from the short to the long: to the longest proper suffix that is also a prefix. */
  link(): void {
    for (const state of this.#byDepth()) {
      if (state === 0) continue;
      const origin = this.#origin[state] ?? 0;
      const parent = origin >>> 8;
      const fail = parent === 0 ? 0 : this.step(this.#fail[parent] ?? 0, origin & 0xff);
      this.#fail[state] = fail;
      if (this.#open[state] === 0) this.#open[state] = this.#open[fail] ?? 0;
      if (this.#matches[state] !== 0) continue;
      this.#matches[state] = this.#matches[fail] ?? 0;
      this.#labels[state] = this.#labels[fail] ?? 0;
    }
  }

  /** All states, the shallow ones first. Counted, not compared: there are tens of thousands, and they are sorted often. */
  #byDepth(): Int32Array {
    const depths = this.#depths.subarray(0, this.#count);
    const next = new Int32Array(depths.reduce((deepest, depth) => Math.max(deepest, depth), 0) + 2);
    for (const depth of depths) next[depth + 1] = (next[depth + 1] ?? 0) + 1;
    for (let depth = 1; depth < next.length; depth++)
      next[depth] = (next[depth] ?? 0) + (next[depth - 1] ?? 0);
    const order = new Int32Array(this.#count);
    for (let state = 0; state < this.#count; state++) {
      const depth = depths[state] ?? 0;
      const place = next[depth] ?? 0;
      order[place] = state;
      next[depth] = place + 1;
    }
    return order;
  }

  step(from: number, byte: number): number {
    let state = from;
    while (state !== 0) {
      const next = this.#edge(state, byte);
      if (next !== 0) return next;
      state = this.#fail[state] ?? 0;
    }
    return this.#fromRoot[byte] ?? 0;
  }

  depth(state: number): number {
    return this.#open[state] ?? 0;
  }

  matched(state: number): number {
    return this.#matches[state] ?? 0;
  }

  label(state: number): string {
    return this.#names[this.#labels[state] ?? 0] ?? '';
  }

  #grow(from: number, byte: number): number {
    const state = this.#count;
    this.#count += 1;
    this.#depths[state] = (this.#depths[from] ?? 0) + 1;
    this.#open[from] = this.#depths[from] ?? 0;
    this.#origin[state] = (from << 8) | byte;
    if (from === 0) this.#fromRoot[byte] = state;
    else {
      const slot = this.#slot((from << 8) | byte);
      this.#keys[slot] = (from << 8) | byte;
      this.#targets[slot] = state;
    }
    return state;
  }

  #edge(state: number, byte: number): number {
    if (state === 0) return this.#fromRoot[byte] ?? 0;
    const key = (state << 8) | byte;
    const slot = this.#slot(key);
    return this.#keys[slot] === key ? (this.#targets[slot] ?? 0) : 0;
  }

  /** The slot of a key, or the free one where it would go. */
  #slot(key: number): number {
    let slot = Math.imul(key, 0x9e3779b1) >>> 0;
    slot = (slot ^ (slot >>> 15)) & this.#mask;
    while (this.#keys[slot] !== key && this.#keys[slot] !== -1) slot = (slot + 1) & this.#mask;
    return slot;
  }
}
