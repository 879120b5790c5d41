import { hash } from 'node:crypto';
import * as fs from 'node:fs';
import path from 'node:path';
import type { JournaledEvent, RunEvent } from './event.ts';

/** A field larger than this, in UTF-16 code units of its JSON, goes to a side file. */
export const largestField = 32 * 1024;
/** No field may be larger than this. */
export const largestSideFile = 16 * 1024 * 1024;
/** No record may be longer; a longer length in a file is damage. */
export const maxRecord = 64 * 1024 * 1024;

export type JournalRecord = RunEvent & { readonly prev: string };

export function sha256(data: string | Uint8Array): string {
  return hash('sha256', data);
}

/** The hash that the first record of a run names as its predecessor. */
export function genesis(run: string): string {
  return sha256(run);
}

/** `<byte length> <sha256> <json>\n`; large fields go to side files of the folder, named by their hash. */
export function encodeEvent(
  event: JournaledEvent,
  place: { readonly seq: number; readonly time: string; readonly prev: string },
  folder: string,
): { readonly line: Buffer; readonly hash: string } {
  const whole = JSON.stringify({ ...place, ...event });
  const text = whole.length > largestField ? JSON.stringify({ ...place, ...spill(event, folder) }) : whole;
  const body = Buffer.from(text, 'utf8');
  if (body.length > maxRecord) throw tooLarge(body.length);
  const hash = sha256(body);
  return { line: Buffer.concat([Buffer.from(`${body.length} ${hash} `, 'latin1'), body, newline]), hash };
}

const newline = Buffer.from('\n', 'latin1');

function spill(event: JournaledEvent, folder: string): object {
  const slim: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(event)) {
    const text = typeof value === 'object' && value !== null ? JSON.stringify(value) : '';
    slim[key] = text.length > largestField ? { $file: sideFile(text, folder) } : value;
  }
  return slim;
}

function tooLarge(size: number): RangeError {
  return new RangeError(`${size} characters are more than the journal takes`);
}

/** Puts the content of side files back. */
export function unspill(record: Readonly<Record<string, unknown>>, folder: string): Record<string, unknown> {
  const full: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(record)) {
    const name = fileName(value);
    full[key] = name === undefined ? value : readSideFile(name, folder);
  }
  return full;
}

export function sideFileName(hash: string): string {
  return `${hash}.json`;
}

function sideFile(text: string, folder: string): string {
  if (text.length > largestSideFile) throw tooLarge(text.length);
  const hash = sha256(text);
  const file = path.join(folder, sideFileName(hash));
  const { O_CREAT, O_WRONLY, O_TRUNC, O_NOFOLLOW } = fs.constants;
  const descriptor = fs.openSync(file, O_CREAT | O_WRONLY | O_TRUNC | O_NOFOLLOW, 0o600);
  try {
    fs.writeFileSync(descriptor, text);
    fs.fdatasyncSync(descriptor);
  } finally {
    fs.closeSync(descriptor);
  }
  return hash;
}

function readSideFile(hash: string, folder: string): unknown {
  const text = fs.readFileSync(path.join(folder, sideFileName(hash)), 'utf8');
  if (sha256(text) !== hash) throw new Error(`the side file ${sideFileName(hash)} is damaged`);
  return JSON.parse(text);
}

function fileName(value: unknown): string | undefined {
  if (typeof value !== 'object' || value === null || Object.keys(value).length !== 1) return undefined;
  const name = '$file' in value ? value.$file : undefined;
  return typeof name === 'string' && /^[0-9a-f]{64}$/.test(name) ? name : undefined;
}
