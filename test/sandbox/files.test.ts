import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openSandbox } from '../../src/sandbox/open.ts';

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'runbook-sandbox-files-'));
  writeFileSync(path.join(folder, 'real'), 'real content');
  mkdirSync(path.join(folder, 'run'));
});

afterAll(() => rmSync(folder, { recursive: true }));

const text = async (bytes: Promise<Uint8Array>) => Buffer.from(await bytes).toString();

describe.each([
  ['in memory', false],
  ["in the run's folder", true],
])('a file that a step makes, %s', (_, kept) => {
  const open = () => openSandbox({ seed: 3, ...(kept ? { dir: path.join(folder, 'run') } : {}) });

  test('is read back under its path, and is not there for anybody else', async () => {
    const name = path.join(folder, 'deep/backup.age');
    const sandbox = open();
    const { files } = sandbox.services;
    expect(await files.stat(name)).toBeUndefined();
    await files.create(name, Buffer.from('a backup'));
    expect(existsSync(path.dirname(name))).toBe(false);
    expect(await text(files.read(path.relative('.', name), 100))).toBe('a backup');
    await expect(files.read(name, 3)).rejects.toThrow(`${name}: it is larger than 3 bytes`);
    expect(await files.stat(name)).toMatchObject({ kind: 'file', mode: 0o600, size: 8 });
    await expect(files.create(name, Buffer.from('again'))).rejects.toThrow(
      `Cannot create ${name}: it exists already`,
    );
    sandbox.close();
    const later = open().services.files.stat(name);
    expect(await later).toEqual(kept ? expect.objectContaining({ size: 8 }) : undefined);
  });

  test('never stands in the way of a real one', async () => {
    const { files } = open().services;
    const real = path.join(folder, 'real');
    expect(await text(files.read(real, 100))).toBe('real content');
    await expect(files.create(real, Buffer.from('x'))).rejects.toThrow('it exists already');
    await expect(files.read(path.join(folder, 'nothing'), 1)).rejects.toThrow('it does not exist');
  });
});

test('an answer that is lost leaves the file', async () => {
  const sandbox = openSandbox({ seed: 3, faults: [{ step: 'save', kind: 'lost-answer' }] });
  const { files } = sandbox.servicesFor('save');
  const name = path.join(folder, 'lost');
  await expect(files.create(name, Buffer.from('x'))).rejects.toThrow('not known');
  expect(await text(files.read(name, 10))).toBe('x');
});
