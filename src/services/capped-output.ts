import { StringDecoder } from 'node:string_decoder';

/** Collects a program's output within a limit: the beginning and the end are kept, the middle is counted. */
export class CappedOutput {
  readonly #half: number;
  #head: Buffer[] = [];
  #headSize = 0;
  #tail: Buffer[] = [];
  #tailSize = 0;
  #dropped = 0;

  constructor(limit: number) {
    this.#half = Math.floor(limit / 2);
  }

  get truncated(): boolean {
    return this.#dropped > 0;
  }

  push(chunk: Buffer): void {
    const room = this.#half - this.#headSize;
    if (room > 0) {
      const first = chunk.subarray(0, room);
      this.#head.push(first);
      this.#headSize += first.length;
    }
    if (chunk.length > room) this.#pushTail(room > 0 ? chunk.subarray(room) : chunk);
  }

  /** Decoded; where bytes are missing a line says how many. Characters cut by the limit are left out. */
  text(): string {
    const head = Buffer.concat(this.#head);
    const tail = Buffer.concat(this.#tail);
    if (!this.truncated) return Buffer.concat([head, tail]).toString('utf8');
    let start = 0;
    while (start < 4 && ((tail[start] ?? 0) & 0xc0) === 0x80) start++;
    const shownHead = new StringDecoder('utf8').write(head);
    return `${shownHead}\n… ${this.#dropped} bytes left out …\n${tail.subarray(start).toString('utf8')}`;
  }

  #pushTail(chunk: Buffer): void {
    this.#tail.push(chunk);
    this.#tailSize += chunk.length;
    for (let excess = this.#tailSize - this.#half; excess > 0; excess = this.#tailSize - this.#half) {
      const [oldest = chunk] = this.#tail;
      const cut = Math.min(excess, oldest.length);
      if (cut === oldest.length) this.#tail.shift();
      else this.#tail[0] = oldest.subarray(cut);
      this.#tailSize -= cut;
      this.#dropped += cut;
    }
  }
}
