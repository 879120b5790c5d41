import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { calculateJwkThumbprint } from 'jose';
import { describe, expect, test } from 'vitest';
import { bytesOf, encryptedAt, fieldsOf, json, kids, rowOf } from './made.ts';

const root = path.dirname(path.dirname(import.meta.dirname));
const texts = Array.from({ length: 40 }, (_, index) => bytesOf(`nek ${index}`).toString('base64url'));
const rows = await Promise.all(
  texts.map(async (plain) => rowOf({ plain, kid: await calculateJwkThumbprint({ kty: 'oct', k: plain }) })),
);

function probe(does: string): unknown {
  const task = {
    does,
    document: Buffer.from(json(fieldsOf([kids.second, kids.first]))).toString('base64'),
    rows,
    kid: kids.second,
    now: encryptedAt + 1000,
    masked: texts.map((text) => Buffer.from(Buffer.from(text).map((byte) => byte ^ 0x5a)).toString('base64')),
  };
  const run = spawnSync(process.execPath, ['scripts/run-ts.mjs', 'test/keys/memory-probe.ts'], {
    cwd: root,
    input: JSON.stringify(task),
    encoding: 'utf8',
  });
  expect(run.stderr).toBe('');
  return JSON.parse(run.stdout);
}

describe.runIf(process.platform === 'linux')('in the memory of a process', () => {
  test('keys that are held are found: the search works', () => {
    expect(probe('hold')).toEqual({ held: 40, found: 40 });
  });

  test('no key is left after re-wrapping', () => {
    expect(probe('rewrap')).toEqual({ held: 40, found: 0 });
  });

  test('no key is left after a census', () => {
    expect(probe('census')).toEqual({ held: 1, found: 0 });
  });
});
