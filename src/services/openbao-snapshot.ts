import { createHash, type Hash } from 'node:crypto';
import { createGunzip } from 'node:zlib';
import { OpenBaoError } from './openbao.ts';

/**
 * Passes a raft snapshot on and looks at it meanwhile: a gzip of a tar with `meta.json`, `state.bin`, `SHA256SUMS` over both and
 * `SHA256SUMS.sealed` (hashicorp/raft-snapshot, archive.go). The server sends it chunked and cannot tell of a failure once it has begun,
 * so what HTTP calls complete may be cut off. Throws `OpenBaoError` at the end of one that is not whole.
 */
export async function* whole(pieces: AsyncIterable<Uint8Array>, place: string): AsyncIterable<Uint8Array> {
  const archive = new SnapshotArchive();
  for await (const piece of pieces) {
    await archive.add(piece);
    yield piece;
  }
  const problem = await archive.end();
  if (problem === undefined) return;
  throw new OpenBaoError(
    `${place} sent a snapshot that is not whole: ${problem}. — Its log says why; take it again.`,
    { status: 200, outcome: 'not-applied', retryable: true },
  );
}

/** What is wrong with a snapshot that lies in a file; undefined when nothing is. */
export async function snapshotProblem(content: Uint8Array): Promise<string | undefined> {
  const archive = new SnapshotArchive();
  await archive.add(content);
  return await archive.end();
}

/** Reads a snapshot that comes in pieces; keeps nothing of it but checksums. */
class SnapshotArchive {
  readonly #gunzip = createGunzip();
  readonly #tar = new TarReader();
  #broken: string | undefined;
  readonly #ended: Promise<void>;

  constructor() {
    this.#gunzip.on('data', (bytes: Buffer) => this.#tar.add(bytes));
    this.#ended = new Promise((resolve) => {
      this.#gunzip.on('error', () => {
        this.#broken = 'it is no gzip stream, or one that breaks off';
        resolve();
      });
      this.#gunzip.on('end', resolve);
    });
  }

  async add(piece: Uint8Array): Promise<void> {
    if (this.#broken !== undefined) return;
    const taken = new Promise<void>((resolve) => {
      this.#gunzip.write(piece, () => resolve());
    });
    // A broken stream never says that it has taken anything.
    await Promise.race([taken, this.#ended]);
  }

  /** What is wrong with it; undefined when nothing is. */
  async end(): Promise<string | undefined> {
    if (this.#broken === undefined) this.#gunzip.end();
    await this.#ended;
    if (this.#broken !== undefined) return this.#broken;
    const { sums, hashes } = this.#tar;
    if (!hashes.has('SHA256SUMS.sealed') || !hashes.has('SHA256SUMS')) return 'its checksums are missing';
    const wanted = new Map(
      [...sums.matchAll(/^([0-9a-f]{64}) {2}(\S+)$/gm)].map(([, hash, name]) => [name, hash]),
    );
    const wrong = ['meta.json', 'state.bin'].find(
      (name) => !hashes.has(name) || hashes.get(name) !== wanted.get(name),
    );
    return wrong === undefined ? undefined : `the checksum of its ${wrong} does not fit`;
  }
}

const blockSize = 512;

/** The entries of a tar (POSIX ustar, regular files below 8 GiB): their hashes, once they are complete. */
class TarReader {
  /** Lower-case hexadecimal SHA-256, by name. */
  readonly hashes = new Map<string, string>();
  /** Text of the entry `SHA256SUMS`. */
  sums = '';
  #header = Buffer.alloc(0);
  #entry: { readonly name: string; readonly hash: Hash } | undefined;
  #left = 0;
  #padding = 0;

  add(bytes: Buffer): void {
    let rest = bytes;
    while (rest.length > 0) {
      if (this.#entry !== undefined) rest = this.#content(this.#entry, rest);
      else if (this.#padding > 0) rest = this.#skip(rest);
      else rest = this.#begin(rest);
    }
  }

  #content(entry: { readonly name: string; readonly hash: Hash }, bytes: Buffer): Buffer {
    const part = bytes.subarray(0, this.#left);
    entry.hash.update(part);
    if (entry.name === 'SHA256SUMS') this.sums += part.toString('latin1');
    this.#left -= part.length;
    if (this.#left === 0) this.#finish(entry);
    return bytes.subarray(part.length);
  }

  #skip(bytes: Buffer): Buffer {
    const part = Math.min(this.#padding, bytes.length);
    this.#padding -= part;
    return bytes.subarray(part);
  }

  #begin(bytes: Buffer): Buffer {
    const missing = blockSize - this.#header.length;
    this.#header = Buffer.concat([this.#header, bytes.subarray(0, missing)]);
    if (this.#header.length === blockSize) {
      const name = this.#header.toString('latin1', 0, 100).replace(/\0.*$/s, '');
      const size = Number.parseInt(this.#header.toString('latin1', 124, 136), 8) || 0;
      this.#header = Buffer.alloc(0);
      // The end of an archive is two blocks of zeros.
      if (name !== '') this.#open(name, size);
    }
    return bytes.subarray(missing);
  }

  #open(name: string, size: number): void {
    this.#entry = { name, hash: createHash('sha256') };
    this.#left = size;
    this.#padding = (blockSize - (size % blockSize)) % blockSize;
    if (size === 0) this.#finish(this.#entry);
  }

  #finish({ name, hash }: { readonly name: string; readonly hash: Hash }): void {
    this.hashes.set(name, hash.digest('hex'));
    this.#entry = undefined;
  }
}
