import { closeSync, cpSync, existsSync, ftruncateSync, openSync, readFileSync, writeSync } from 'node:fs';
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

function recordsIn(file: string, bytes: Buffer): readonly JsonObject[] {
  const whole = bytes.lastIndexOf(NEWLINE) + 1;
  return parse(file, bytes.subarray(0, whole).toString('utf8'));
}

/**
 * Opens or creates `world.jsonl` in a run's folder. A last line without its end was never answered: it is cut off.
 * A new one begins with the world of another run's folder, if one is given.
 */
export function openWorldFile(folder: string, from?: string): OpenedWorldFile {
  const file = path.join(folder, NAME);
  if (from !== undefined && !existsSync(file)) inherit(from, folder);
  const bytes = existsSync(file) ? readFileSync(file) : Buffer.alloc(0);
  const whole = bytes.lastIndexOf(NEWLINE) + 1;
  const records = recordsIn(file, bytes);
  const descriptor = openSync(file, 'a', 0o600);
  if (whole < bytes.length) ftruncateSync(descriptor, whole);
  let failure: unknown;
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
      close: () => closeSync(descriptor),
    },
  };
}

/** What a run leaves of its world: the last record last, so that a copy that was cut short is no world yet. */
function inherit(from: string, folder: string): void {
  for (const name of ['files', 'world.key', NAME])
    if (existsSync(path.join(from, name)))
      cpSync(path.join(from, name), path.join(folder, name), { recursive: true });
}

/** A world that ends with its process; it begins with that of a run's folder, if one is given. */
export function memoryWorldFile(from?: string): OpenedWorldFile {
  const file = path.join(from ?? '', NAME);
  const records = from === undefined ? [] : recordsIn(file, readFileSync(file));
  return { records, file: { append: () => undefined, close: () => undefined } };
}
