import type { RunEvent } from './event.ts';
import { genesis, maxRecord, sha256, unspill } from './journal-record.ts';

/** What a journal's bytes say. `events` are the good records before `damage` or the torn tail. */
export interface ReadJournal {
  readonly events: readonly RunEvent[];
  /** Of each record, in order. */
  readonly hashes: readonly string[];
  readonly end: { readonly seq: number; readonly hash: string; readonly size: number };
  /** Bytes after the last good record that were still being written when the process or the machine stopped. */
  readonly torn: number;
  readonly damage: Damage | undefined;
}

/** Something other than a torn tail: to be looked at by a human, never repaired. */
export interface Damage {
  readonly offset: number;
  readonly afterSeq: number;
  readonly why: string;
}

interface Line {
  readonly json: string;
  readonly hash: string;
  readonly next: number;
}

/** Reads every record, checking length, hash, sequence and chain. */
export function readJournal(
  bytes: Buffer,
  from: { readonly run: string; readonly folder: string },
): ReadJournal {
  const events: RunEvent[] = [];
  const hashes: string[] = [];
  let end = { seq: 0, hash: genesis(from.run), size: 0 };
  while (end.size < bytes.length) {
    const line = readLine(bytes, end.size);
    if (typeof line === 'string') {
      // Only a record without its final newline can be one that was never finished.
      const torn = bytes.indexOf(0x0a, end.size) === -1;
      return torn
        ? { events, hashes, end, torn: bytes.length - end.size, damage: undefined }
        : { events, hashes, end, torn: 0, damage: { offset: end.size, afterSeq: end.seq, why: line } };
    }
    const found = readEvent(line, { ...from, ...end });
    if (typeof found === 'string')
      return { events, hashes, end, torn: 0, damage: { offset: end.size, afterSeq: end.seq, why: found } };
    events.push(found);
    hashes.push(line.hash);
    end = { seq: found.seq, hash: line.hash, size: line.next };
  }
  return { events, hashes, end, torn: 0, damage: undefined };
}

function readLine(bytes: Buffer, at: number): Line | string {
  const space = bytes.indexOf(0x20, at);
  if (space === -1 || space - at > 9) return 'the record has no length';
  const digits = bytes.toString('latin1', at, space);
  const length = /^[1-9][0-9]*$/.test(digits) ? Number(digits) : Number.NaN;
  if (!(length <= maxRecord)) return 'the length of the record is no number';
  const body = space + 1 + 64 + 1;
  const close = body + length;
  if (close >= bytes.length) return 'the record is shorter than it says';
  if (bytes[body - 1] !== 0x20 || bytes[close] !== 0x0a) return 'the record does not end where it says';
  const hash = bytes.toString('latin1', space + 1, space + 65);
  const content = bytes.subarray(body, close);
  if (sha256(content) !== hash) return 'the hash does not fit the content';
  return { json: content.toString('utf8'), hash, next: close + 1 };
}

function readEvent(
  line: Line,
  expected: { readonly run: string; readonly folder: string; readonly seq: number; readonly hash: string },
): RunEvent | string {
  let record: unknown;
  try {
    record = JSON.parse(line.json);
    if (!isRecord(record)) return 'the record is no object';
    if (record.prev !== expected.hash) return 'the record does not follow the one before it';
    if (record.seq !== expected.seq + 1) return `record ${expected.seq + 1} is missing`;
    const { prev, ...event } = unspill(record, expected.folder);
    if (typeof event.type !== 'string' || typeof event.time !== 'string') return 'the record is no event';
    if (event.type === 'run-opened' && event.run !== expected.run) return 'it is the journal of another run';
    return event as unknown as RunEvent;
  } catch (thrown) {
    return thrown instanceof Error ? thrown.message : String(thrown);
  }
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
