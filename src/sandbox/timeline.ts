interface Entry {
  readonly at: number;
  readonly order: number;
  readonly key: string | undefined;
  readonly run: () => void;
}

function before(a: Entry, b: Entry): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}

/**
 * The world's own future: what controllers, kubelets and servers will do, ordered by virtual time and then by when it was scheduled.
 * Nothing runs by itself; `advance` runs what has become due.
 */
export class Timeline {
  #now: number;
  #order = 0;
  readonly #heap: Entry[] = [];
  readonly #keys = new Map<string, Entry>();

  constructor(epoch: number) {
    this.#now = epoch;
  }

  /** Milliseconds since the epoch. */
  get now(): number {
    return this.#now;
  }

  /** Runs `run` after `delay` milliseconds, at least one. With a key, the earlier of two pending entries stands. */
  schedule(delay: number, run: () => void, key?: string): void {
    const entry = { at: this.#now + Math.max(1, Math.round(delay)), order: this.#order++, key, run };
    if (key !== undefined) {
      const pending = this.#keys.get(key);
      if (pending !== undefined && pending.at <= entry.at) return;
      this.#keys.set(key, entry);
    }
    this.#push(entry);
  }

  /** When the next entry is due. */
  next(): number | undefined {
    this.#dropReplaced();
    return this.#heap[0]?.at;
  }

  /** Moves time to `to`, running everything due on the way at its own time. */
  advance(to: number): void {
    for (let next = this.next(); next !== undefined && next <= to; next = this.next()) {
      const entry = this.#pop();
      this.#now = Math.max(this.#now, entry.at);
      if (entry.key !== undefined) this.#keys.delete(entry.key);
      entry.run();
    }
    this.#now = Math.max(this.#now, to);
  }

  #dropReplaced(): void {
    for (let top = this.#heap[0]; top !== undefined; top = this.#heap[0]) {
      if (top.key === undefined || this.#keys.get(top.key) === top) return;
      this.#pop();
    }
  }

  #push(entry: Entry): void {
    const heap = this.#heap;
    let at = heap.push(entry) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = heap[parent];
      if (above === undefined || !before(entry, above)) break;
      heap[at] = above;
      at = parent;
    }
    heap[at] = entry;
  }

  #pop(): Entry {
    const heap = this.#heap;
    const top = heap[0];
    const last = heap.pop();
    if (top === undefined || last === undefined) throw new Error('the timeline is empty');
    if (heap.length === 0) return top;
    let at = 0;
    for (;;) {
      const left = heap[2 * at + 1];
      const right = heap[2 * at + 2];
      const smaller = left !== undefined && right !== undefined && before(right, left) ? right : left;
      if (smaller === undefined || !before(smaller, last)) break;
      const next = smaller === left ? 2 * at + 1 : 2 * at + 2;
      heap[at] = smaller;
      at = next;
    }
    heap[at] = last;
    return top;
  }
}
