import { mkdtempSync, readdirSync, rmSync, statSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { createKeepsakes } from '../../../src/engine/run/keepsake.ts';

function folder(): string {
  const made = mkdtempSync(path.join(tmpdir(), 'runbook-kept-'));
  onTestFinished(() => rmSync(made, { recursive: true, force: true }));
  return made;
}

const bytes = (text: string) => Buffer.from(text);

test('what is kept can be read by a later process, in order, by instance and name', () => {
  const run = folder();
  const first = createKeepsakes(run);
  first.append('a/b[c]', 'rows', bytes('one\n'));
  first.append('a/b[d]', 'rows', bytes('other\n'));
  first.append('a/b[c]', 'rows', bytes('two\n'));
  const second = createKeepsakes(run);
  second.append('a/b[c]', 'rows', bytes('three\n'));
  expect(String(second.read('a/b[c]', 'rows'))).toBe('one\ntwo\nthree\n');
  expect(String(second.read('a/b[d]', 'rows'))).toBe('other\n');
  expect(second.read('a/b[c]', 'hashes')).toBeUndefined();
});

test('only the owner can read it', () => {
  const run = folder();
  createKeepsakes(run).append('step', 'rows', bytes('x'));
  const [file = ''] = readdirSync(run);
  expect(statSync(path.join(run, file)).mode & 0o777).toBe(0o600);
});

test('a link that somebody put in its place is refused, for writing and for reading', () => {
  const run = folder();
  createKeepsakes(run).append('step', 'rows', bytes('x'));
  const [file = ''] = readdirSync(run);
  const elsewhere = path.join(folder(), 'elsewhere');
  writeFileSync(elsewhere, '');
  unlinkSync(path.join(run, file));
  symlinkSync(elsewhere, path.join(run, file));
  expect(() => createKeepsakes(run).append('step', 'rows', bytes('y'))).toThrow(/ELOOP/);
  expect(() => createKeepsakes(run).read('step', 'rows')).toThrow(/ELOOP/);
  expect(statSync(elsewhere).size).toBe(0);
});

test('a name cannot lead out of the folder', () => {
  const kept = createKeepsakes(folder());
  for (const name of ['../x', 'a/b', '', '.hidden', 'UPPER'])
    expect(() => kept.append('step', name, bytes('x'))).toThrow(RangeError);
});
