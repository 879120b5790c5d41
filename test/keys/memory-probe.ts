import { closeSync, openSync, readFileSync, readSync } from 'node:fs';
import { parseMekDocument } from '../../src/keys/mek-document.ts';
import { createCensus } from '../../src/keys/nek-census.ts';
import { unwrapNek } from '../../src/keys/nek-jwe.ts';
import { planRewrap } from '../../src/keys/nek-rewrap.ts';
import type { StoredNek } from '../../src/keys/nek-row.ts';

/*
 * A process of its own: does one thing with rows, then looks for the keys that were in them in the whole of its own memory (Linux).
 * The keys come masked, and only a piece of each is ever laid open to search for it, so that the search does not find itself.
 */

interface Task {
  readonly does: 'hold' | 'rewrap' | 'census';
  readonly document: string;
  readonly rows: readonly StoredNek[];
  readonly kid: string;
  readonly now: number;
  /** Base64 of the key texts, each byte exclusive-or 0x5a. */
  readonly masked: readonly string[];
}

const pieceLength = 12;
const task = JSON.parse(readFileSync(0, 'utf8')) as Task;
const read = parseMekDocument(Buffer.from(task.document, 'base64'));
if (!read.ok) throw new Error(read.problems.join('\n'));
const { document } = read;
const held: unknown[] = [];

if (task.does === 'hold') for (const row of task.rows) held.push(unwrapNek(row.encryptedKey ?? '', document));
if (task.does === 'rewrap')
  for (const row of task.rows) held.push(planRewrap([row], { document, kid: task.kid, now: task.now }));
if (task.does === 'census') {
  const census = createCensus({ document, kid: task.kid });
  for (const row of task.rows) census.add([row], task.now);
  held.push(census.result());
}

const secrets = task.masked.map((text) => Buffer.from(text, 'base64'));
const found = secrets.map(() => false);
for (const memory of ownMemory())
  for (const [index, masked] of secrets.entries()) found[index] ||= contains(memory, masked);
process.stdout.write(JSON.stringify({ held: held.length, found: found.filter(Boolean).length }));

function contains(memory: Buffer, masked: Buffer): boolean {
  const piece = Buffer.from(masked.subarray(0, pieceLength).map((byte) => byte ^ 0x5a));
  for (let at = memory.indexOf(piece); at >= 0; at = memory.indexOf(piece, at + 1))
    if (masked.every((byte, offset) => memory[at + offset] === (byte ^ 0x5a))) return true;
  return false;
}

function* ownMemory(): Generator<Buffer> {
  const memory = openSync('/proc/self/mem', 'r');
  for (const line of readFileSync('/proc/self/maps', 'utf8').split('\n')) {
    const [, from, to] = /^([0-9a-f]+)-([0-9a-f]+) rw/.exec(line) ?? [];
    if (from === undefined || to === undefined) continue;
    const start = Number.parseInt(from, 16);
    const region = Buffer.allocUnsafeSlow(Number.parseInt(to, 16) - start);
    try {
      yield region.subarray(0, readSync(memory, region, 0, region.length, start));
    } catch {
      // A region that went away, or that the kernel keeps to itself.
    }
    region.fill(0);
  }
  closeSync(memory);
}
