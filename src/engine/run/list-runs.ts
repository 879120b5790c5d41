import * as fs from 'node:fs';
import path from 'node:path';
import type { RunEvent } from './event.ts';
import { journalName } from './journal.ts';
import { sha256 } from './journal-record.ts';
import { currentOwner, type Owner, RunBusyError } from './owner.ts';
import { isRunId, readRun, runFolder, type StoredRun } from './run-folder.ts';

/** A run as `runbook runs` lists it, from the ends of its journal only. */
export interface RunSummary {
  readonly id: string;
  readonly folder: string;
  /** When it began by the clock of this machine, ISO 8601; '' when the journal does not say. */
  readonly begun: string;
  readonly opened: Extract<RunEvent, { type: 'run-opened' }> | undefined;
  readonly last: RunEvent | undefined;
  /** The process that works on it now. */
  readonly owner: Owner | undefined;
  /** The journal does not begin or end as it should; see `verify`. */
  readonly problem: string | undefined;
}

interface Viewer {
  readonly host: string;
  readonly isAlive: (owner: Owner) => boolean;
}

/** All runs, the newest first. */
export function listRuns(runs: string, viewer: Viewer): readonly RunSummary[] {
  if (!fs.existsSync(runs)) return [];
  return fs
    .readdirSync(runs, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && isRunId(entry.name))
    .filter((entry) => fs.existsSync(path.join(runs, entry.name, journalName)))
    .map((entry) => summarize(runs, entry.name, viewer))
    .sort((one, other) => other.begun.localeCompare(one.begun));
}

/** The clock of a sandbox is its own: when such a run really began is when its plan was written. */
function beginning(folder: string, opened: RunSummary['opened']): string {
  if (opened?.sandbox !== true) return opened?.time ?? '';
  const plan = fs.statSync(path.join(folder, 'plan.json'), { throwIfNoEntry: false });
  return plan?.mtime.toISOString() ?? opened.time;
}

function summarize(runs: string, id: string, viewer: Viewer): RunSummary {
  const folder = path.join(runs, id);
  const owner = currentOwner(folder, viewer);
  const { first, last } = ends(path.join(folder, journalName));
  const opened = first?.type === 'run-opened' ? first : undefined;
  const whole = opened !== undefined && last !== undefined;
  const problem = whole ? undefined : 'its journal does not begin or end with a whole record';
  return { id, folder, begun: beginning(folder, opened), opened, last, owner, problem };
}

const headSize = 64 * 1024;
const tailSize = 256 * 1024;

function ends(file: string): { readonly first: RunEvent | undefined; readonly last: RunEvent | undefined } {
  const descriptor = fs.openSync(file, fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW);
  try {
    const { size } = fs.fstatSync(descriptor);
    const head = readAt(descriptor, 0, Math.min(size, headSize));
    const tail = readAt(descriptor, Math.max(0, size - tailSize), Math.min(size, tailSize));
    const end = tail.lastIndexOf(0x0a);
    const start = end <= 0 ? -1 : tail.lastIndexOf(0x0a, end - 1);
    return {
      first: eventOf(head.subarray(0, Math.max(0, head.indexOf(0x0a)))),
      last: end === -1 ? undefined : eventOf(tail.subarray(start + 1, end)),
    };
  } finally {
    fs.closeSync(descriptor);
  }
}

function readAt(descriptor: number, position: number, length: number): Buffer {
  const buffer = Buffer.alloc(length);
  const read = length === 0 ? 0 : fs.readSync(descriptor, buffer, 0, length, position);
  return buffer.subarray(0, read);
}

function eventOf(line: Buffer): RunEvent | undefined {
  const text = line.toString('utf8');
  const match = /^[1-9][0-9]* ([0-9a-f]{64}) /.exec(text);
  const body = match === null ? undefined : text.slice(match[0].length);
  if (body === undefined || sha256(body) !== match?.[1]) return undefined;
  return JSON.parse(body) as RunEvent;
}

/** Removes a run's folder with all it holds. Throws `RunBusyError` while somebody works on it. */
export function removeRun(runs: string, id: string, viewer: Viewer): void {
  const folder = runFolder(runs, id);
  const owner = currentOwner(folder, viewer);
  if (owner !== undefined) throw new RunBusyError(owner);
  fs.rmSync(folder, { recursive: true, force: true });
}

/** What `runbook verify` says of a run. */
export interface Verification {
  readonly run: StoredRun;
  readonly records: number;
  readonly head: { readonly seq: number; readonly hash: string };
  /** Each a sentence; none: the journal is whole. */
  readonly problems: readonly string[];
}

/** Checks every byte, the chain, the side files, and, with what the Lease remembers, that nothing was cut off at the end. */
export function verifyRun(
  runs: string,
  id: string,
  witness?: { readonly seq: number; readonly hash: string },
): Verification {
  const run = readRun(runs, id);
  const { damage, torn, end } = run.journal;
  const problems: string[] = [];
  if (damage !== undefined)
    problems.push(`damaged at byte ${damage.offset}, after record ${damage.afterSeq}: ${damage.why}`);
  if (torn > 0) problems.push(`the last ${torn} bytes are no whole record; the next resume cuts them off`);
  if (witness !== undefined && witness.seq > end.seq)
    problems.push(
      `the Lease has seen record ${witness.seq}, but the journal ends with ${end.seq}: its end is missing`,
    );
  const seen = witness === undefined ? undefined : run.journal.hashes[witness.seq - 1];
  if (witness !== undefined && seen !== undefined && seen !== witness.hash)
    problems.push(`record ${witness.seq} is not the one that the Lease has seen`);
  return { run, records: run.events.length, head: end, problems };
}
