import type { FileStore } from '../../src/services/files.ts';

/** Files in memory, with the refusals that a step relies on. */
export class MemoryFiles implements FileStore {
  readonly content = new Map<string, Uint8Array>();

  constructor(files: Readonly<Record<string, string>> = {}) {
    for (const [path, text] of Object.entries(files)) this.content.set(path, Buffer.from(text));
  }

  async read(path: string): Promise<Uint8Array> {
    const found = this.content.get(path);
    if (found === undefined) throw new Error(`Cannot read ${path}: it does not exist`);
    return found;
  }

  async stat(path: string) {
    const found = this.content.get(path);
    return found === undefined
      ? undefined
      : { kind: 'file' as const, mode: 0o600, uid: 0, size: found.length };
  }

  async create(path: string, content: Uint8Array | AsyncIterable<Uint8Array>): Promise<void> {
    if (this.content.has(path)) throw new Error(`Cannot create ${path}: it exists`);
    if (!(content instanceof Uint8Array)) throw new Error('this fake takes whole contents alone');
    this.content.set(path, content.slice());
  }
}
