import {
  closeSync,
  cpSync,
  existsSync,
  ftruncateSync,
  openSync,
  readFileSync,
  renameSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import path from 'node:path';
import type { Json, JsonObject } from '../engine/json.ts';

/** The sandbox cannot go on; the message says why and what to do. */
export class SandboxError extends Error {
  readonly hint: string;

  constructor(message: string, hint: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'SandboxError';
    this.hint = hint;
  }
}

export interface WorldFile {
  /** Appended as one line before this returns; survives the death of the process (not of the machine). */
  append(record: JsonObject): void;
  close(): void;
}

export interface OpenedWorldFile {
  readonly file: WorldFile;
  /** What earlier processes wrote, the header first; empty for a new file. */
  readonly records: readonly JsonObject[];
}

const NAME = 'world.jsonl';
/** What lies beside the world's file and belongs to it: the key of what is sealed in it, and the files that steps made. */
const BELONGINGS = ['world.key', 'files'];
const NEWLINE = 0x0a;

function damaged(file: string, line: number, cause?: unknown): SandboxError {
  return new SandboxError(
    `The sandbox's world, ${file}, is damaged in line ${line}.`,
    'This simulated run cannot be resumed; start a new one.',
    cause,
  );
}

function parse(file: string, text: string): readonly JsonObject[] {
  const lines = text.split('\n').filter((line) => line !== '');
  return lines.map((line, at) => {
    let record: Json;
    try {
      record = JSON.parse(line) as Json;
    } catch (cause) {
      throw damaged(file, at + 1, cause);
    }
    if (typeof record !== 'object' || record === null || Array.isArray(record)) throw damaged(file, at + 1);
    return record as JsonObject;
  });
}

/** A folder holds a world. */
export function hasWorld(folder: string): boolean {
  return existsSync(path.join(folder, NAME));
}

function wholeLines(file: string): {
  readonly records: readonly JsonObject[];
  readonly torn: number | undefined;
} {
  const bytes = existsSync(file) ? readFileSync(file) : Buffer.alloc(0);
  const whole = bytes.lastIndexOf(NEWLINE) + 1;
  const records = parse(file, bytes.subarray(0, whole).toString('utf8'));
  return { records, torn: whole < bytes.length ? whole : undefined };
}

/** What a folder holds, the header first; nothing is written. Faults that struck there are left out: another run has its own. */
export function readWorld(folder: string): readonly JsonObject[] {
  return wholeLines(path.join(folder, NAME)).records.map(({ fault: _, ...record }) => record);
}

/** The seed of the world in a folder. */
export function worldSeed(folder: string): number {
  const [header] = readWorld(folder);
  if (typeof header?.seed === 'number') return header.seed;
  throw damaged(path.join(folder, NAME), 1);
}

/** Puts a copy of a world into a folder that has none; whole, or not at all. */
export function copyWorld(from: string, to: string): void {
  for (const name of BELONGINGS)
    if (existsSync(path.join(from, name)))
      cpSync(path.join(from, name), path.join(to, name), { recursive: true });
  const lines = readWorld(from).map((record) => `${JSON.stringify(record)}\n`);
  const file = path.join(to, NAME);
  writeFileSync(`${file}.new`, lines.join(''), { mode: 0o600 });
  renameSync(`${file}.new`, file);
}

/** Opens or creates `world.jsonl` in a run's folder. A last line without its end was never answered: it is cut off. */
export function openWorldFile(folder: string): OpenedWorldFile {
  const file = path.join(folder, NAME);
  const { records, torn } = wholeLines(file);
  const descriptor = openSync(file, 'a', 0o600);
  if (torn !== undefined) ftruncateSync(descriptor, torn);
  let failure: unknown;
  let closed = false;
  return {
    records,
    file: {
      append: (record) => {
        if (failure !== undefined) throw failure;
        const line = Buffer.from(`${JSON.stringify(record)}\n`);
        try {
          let written = 0;
          while (written < line.length) written += writeSync(descriptor, line, written);
        } catch (cause) {
          failure = new SandboxError(
            `The sandbox cannot write its world to ${file}: ${cause instanceof Error ? cause.message : String(cause)}.`,
            'Free space or mend the folder, then resume the run: everything up to here is recorded.',
            cause,
          );
          throw failure;
        }
      },
      close: () => {
        if (closed) return;
        closed = true;
        // Whoever still works in this world must not write into what gets the descriptor next.
        failure ??= new SandboxError(
          `The sandbox cannot write its world to ${file} any more: it is closed.`,
          'Nothing more happens in it until the run is continued.',
        );
        closeSync(descriptor);
      },
    },
  };
}

/** A world that ends with its process; it may begin as the one in a folder is. */
export function memoryWorldFile(from: string | undefined): OpenedWorldFile {
  const records = from === undefined ? [] : readWorld(from);
  return { records, file: { append: () => undefined, close: () => undefined } };
}
