import { createHash, randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import path from 'node:path';
import type { Plan } from '../engine/plan/plan.ts';
import { epochOf } from '../sandbox/epoch.ts';

const ALPHABET = 'abcdefghijkmnpqrstuvwxyz23456789';

function word(bytes: Uint8Array): string {
  return [...bytes.subarray(0, 4)].map((byte) => ALPHABET[byte % ALPHABET.length]).join('');
}

/**
 * '20261122-154502-k3f9': when it began (UTC) and four letters against collisions. A sandbox run's id comes from its seed,
 * so that everything repeats; a second one in the same place gets a number.
 */
export function newRunId(about: {
  readonly runs: string;
  readonly sandbox: Plan['sandbox'];
  readonly now: number;
}): { readonly id: string; readonly startedAt: number } {
  const fresh = about.sandbox !== undefined && about.sandbox.from === undefined;
  const startedAt = fresh ? epochOf(about.sandbox?.seed ?? 0) : about.now;
  const time = new Date(startedAt).toISOString().replace(/[-:]/g, '').replace('T', '-').slice(0, 15);
  const random =
    about.sandbox === undefined
      ? randomBytes(4)
      : createHash('sha256').update(`run ${about.sandbox.seed}`).digest();
  const id = `${time}-${word(random)}`;
  let free = id;
  for (let number = 2; existsSync(path.join(about.runs, free)); number++) free = `${id}-${number}`;
  return { id: free, startedAt };
}
