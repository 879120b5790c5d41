import * as fs from 'node:fs';
import path from 'node:path';
import type { JournaledEvent, RunEvent } from './event.ts';
import { encodeEvent, genesis } from './journal-record.ts';
import { JournalError } from './run-error.ts';

/** What the journal asks of the file system; tests put faults in between. */
export type Disk = Pick<
  typeof fs,
  | 'openSync'
  | 'closeSync'
  | 'writeSync'
  | 'fdatasyncSync'
  | 'fsyncSync'
  | 'fstatSync'
  | 'ftruncateSync'
  | 'unlinkSync'
>;

/** Where a run's events become facts. */
export interface Journal {
  /** Returns once the records are written, and with `sync` once they would survive a power cut. Throws `JournalError`. */
  append(events: readonly JournaledEvent[], options: { readonly sync: boolean }): readonly RunEvent[];
  readonly head: { readonly seq: number; readonly hash: string };
  /** The disk is full and the reserve is in use: what is in flight may be recorded, nothing new may start. */
  readonly degraded: boolean;
  close(): void;
}

export interface JournalOptions {
  /** The run's folder; the journal is `journal.jsonl` in it. */
  readonly folder: string;
  readonly run: string;
  /** ISO 8601, for people; the order is in `seq`. */
  readonly time: () => string;
  readonly disk?: Disk;
  /** Called around each append with 'before:<type>' and 'after:<type>'; where kill tests strike. */
  readonly failpoint?: (name: string) => void;
  /** Bytes kept aside for a full disk. */
  readonly reserve?: number;
}

export const journalName = 'journal.jsonl';
export const reserveName = 'journal.reserve';
const reserveSize = 1024 * 1024;

/** A new journal in a new folder: exclusive, private, its name durable. */
export function createJournal(options: JournalOptions): Journal {
  const disk = options.disk ?? fs;
  const { O_CREAT, O_EXCL } = fs.constants;
  const file = openPrivate(disk, path.join(options.folder, journalName), O_CREAT | O_EXCL);
  keepReserve(disk, options);
  syncFolder(disk, options.folder);
  return new FileJournal({ ...options, disk, file, seq: 0, hash: genesis(options.run), size: 0 });
}

/** Goes on after the last good record, as `readJournal` found it. */
export function openJournal(
  options: JournalOptions,
  end: { readonly seq: number; readonly hash: string; readonly size: number },
): Journal {
  const disk = options.disk ?? fs;
  const file = openPrivate(disk, path.join(options.folder, journalName), 0);
  const size = disk.fstatSync(file).size;
  if (size !== end.size) {
    disk.closeSync(file);
    throw new JournalError(`the journal has ${size} bytes, not ${end.size}: another process writes to it`);
  }
  keepReserve(disk, options);
  return new FileJournal({ ...options, disk, file, ...end });
}

interface FileJournalOptions extends JournalOptions {
  readonly disk: Disk;
  readonly file: number;
  readonly seq: number;
  readonly hash: string;
  readonly size: number;
}

interface Encoded {
  readonly buffer: Buffer;
  readonly recorded: readonly RunEvent[];
  readonly seq: number;
  readonly hash: string;
}

class FileJournal implements Journal {
  readonly #options: FileJournalOptions;
  #seq: number;
  #hash: string;
  #size: number;
  #poison: JournalError | undefined;
  #degraded = false;
  #closed = false;

  constructor(options: FileJournalOptions) {
    this.#options = options;
    this.#seq = options.seq;
    this.#hash = options.hash;
    this.#size = options.size;
  }

  get head(): { readonly seq: number; readonly hash: string } {
    return { seq: this.#seq, hash: this.#hash };
  }

  get degraded(): boolean {
    return this.#degraded;
  }

  append(events: readonly JournaledEvent[], { sync }: { readonly sync: boolean }): readonly RunEvent[] {
    if (this.#poison !== undefined) throw this.#poison;
    if (this.#closed) throw new JournalError('the journal is closed');
    const time = this.#options.time();
    const name = events.map((event) => event.type).join('+');
    this.#options.failpoint?.(`before:${name}`);
    try {
      const { buffer, recorded, seq, hash } = this.#encode(events, time);
      this.#put(buffer);
      this.#seq = seq;
      this.#hash = hash;
      this.#size += buffer.length;
      if (sync) this.#options.disk.fdatasyncSync(this.#options.file);
      this.#options.failpoint?.(`after:${name}`);
      return recorded;
    } catch (thrown) {
      if (thrown instanceof RangeError) throw thrown;
      throw this.#poisoned(thrown);
    }
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#options.disk.closeSync(this.#options.file);
    if (this.#poison === undefined) removeReserve(this.#options.disk, this.#options.folder);
  }

  /** Side files are durable before the record that names them. Throws `RangeError` for what no record can hold. */
  #encode(events: readonly JournaledEvent[], time: string): Encoded {
    const lines: Buffer[] = [];
    const recorded: RunEvent[] = [];
    let { seq, hash } = this.head;
    for (const event of events) {
      seq += 1;
      recorded.push({ ...event, seq, time });
      const record = encodeEvent(event, { seq, time, prev: hash }, this.#options.folder);
      lines.push(record.line);
      hash = record.hash;
    }
    const buffer = lines.length === 1 && lines[0] !== undefined ? lines[0] : Buffer.concat(lines);
    return { buffer, recorded, seq, hash };
  }

  #put(buffer: Buffer): void {
    try {
      this.#loop(buffer);
    } catch (thrown) {
      if (this.#degraded || !isFull(thrown)) throw thrown;
      // The reserve makes room for the result of what is in flight, and for the end.
      this.#degraded = true;
      this.#options.disk.ftruncateSync(this.#options.file, this.#size);
      removeReserve(this.#options.disk, this.#options.folder);
      this.#loop(buffer);
    }
  }

  #loop(buffer: Buffer): void {
    const { disk, file } = this.#options;
    for (let at = 0; at < buffer.length; ) {
      const written = disk.writeSync(file, buffer, at, buffer.length - at);
      if (written <= 0) throw new Error('nothing was written');
      at += written;
    }
  }

  // One failure is final: a later sync may report success for data that is gone.
  #poisoned(thrown: unknown): JournalError {
    const why = thrown instanceof Error ? thrown.message : String(thrown);
    this.#poison ??= new JournalError(`the journal cannot be written: ${why}`, { cause: thrown });
    return this.#poison;
  }
}

/** Opens for appending what only its owner can read, write, or have put there. */
function openPrivate(disk: Disk, file: string, create: number): number {
  const { O_RDWR, O_APPEND, O_NOFOLLOW } = fs.constants;
  let descriptor: number;
  try {
    descriptor = disk.openSync(file, O_RDWR | O_APPEND | O_NOFOLLOW | create, 0o600);
  } catch (thrown) {
    const why = thrown instanceof Error ? thrown.message : String(thrown);
    throw new JournalError(`the journal cannot be opened: ${why}`, { cause: thrown });
  }
  const problem = strange(disk.fstatSync(descriptor));
  if (problem === undefined) return descriptor;
  disk.closeSync(descriptor);
  throw new JournalError(`${file} ${problem}`);
}

/** Why a file is not one that this program made for its user; undefined when it is. */
export function strange(stat: fs.Stats): string | undefined {
  if (!stat.isFile()) return 'is no regular file';
  if (stat.nlink !== 1) return 'has more than one name';
  if ((stat.mode & 0o077) !== 0) return 'is open to others (its mode must be 0600)';
  return undefined;
}

function syncFolder(disk: Disk, folder: string): void {
  const descriptor = disk.openSync(folder, fs.constants.O_RDONLY | fs.constants.O_DIRECTORY);
  try {
    disk.fsyncSync(descriptor);
  } finally {
    disk.closeSync(descriptor);
  }
}

function keepReserve(disk: Disk, options: JournalOptions): void {
  const { O_CREAT, O_WRONLY, O_TRUNC, O_NOFOLLOW } = fs.constants;
  const size = options.reserve ?? reserveSize;
  const file = path.join(options.folder, reserveName);
  const descriptor = disk.openSync(file, O_CREAT | O_WRONLY | O_TRUNC | O_NOFOLLOW, 0o600);
  try {
    const block = Buffer.alloc(64 * 1024);
    // Written, not only sized: a hole takes no room.
    for (let at = 0; at < size; at += block.length)
      disk.writeSync(descriptor, block, 0, Math.min(block.length, size - at));
  } finally {
    disk.closeSync(descriptor);
  }
}

function removeReserve(disk: Disk, folder: string): void {
  try {
    disk.unlinkSync(path.join(folder, reserveName));
  } catch (thrown) {
    if (!(thrown instanceof Error && 'code' in thrown && thrown.code === 'ENOENT')) throw thrown;
  }
}

function isFull(thrown: unknown): boolean {
  return (
    thrown instanceof Error && 'code' in thrown && (thrown.code === 'ENOSPC' || thrown.code === 'EDQUOT')
  );
}
