import type { FileStore } from '../../src/services/files.ts';

/** Files in memory, by path. */
export class MemoryFiles implements FileStore {
  readonly content = new Map<string, Uint8Array>();
  /** Thrown by the next `stat`. */
  unreadable: Error | undefined;
  /** Thrown by `create` after the content has come. */
  full: Error | undefined;

  async read(path: string, limit: number): Promise<Uint8Array> {
    const found = this.content.get(path);
    if (found === undefined || found.length > limit) throw new Error(`Cannot read ${path}`);
    return found;
  }

  async stat(path: string): Promise<{ kind: 'file'; mode: number; uid: number; size: number } | undefined> {
    if (this.unreadable !== undefined) throw this.unreadable;
    const found = this.content.get(path);
    return found === undefined ? undefined : { kind: 'file', mode: 0o600, uid: 0, size: found.length };
  }

  async create(path: string, content: Uint8Array | AsyncIterable<Uint8Array>): Promise<void> {
    if (this.content.has(path)) throw new Error(`Cannot create ${path}: it exists already`);
    const chunks: Uint8Array[] = [];
    for await (const piece of content instanceof Uint8Array ? [content] : content) chunks.push(piece);
    if (this.full !== undefined) throw this.full;
    this.content.set(path, Buffer.concat(chunks));
  }
}
