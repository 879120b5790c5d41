import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import type { Sandbox } from '../../src/sandbox/open.ts';
import { kinds } from '../../src/services/kubernetes.ts';
import { activateKey, appendKey, newer, newRow, openKeys, openSession } from './keys-rig.ts';
import { never, pass } from './rig.ts';

const folders: string[] = [];

function folder(): string {
  const made = mkdtempSync(path.join(tmpdir(), 'sandbox-keys-'));
  folders.push(made);
  return made;
}

afterEach(() => {
  for (const made of folders.splice(0)) rmSync(made, { recursive: true, force: true });
});

const linesOf = (dir: string) =>
  readFileSync(path.join(dir, 'world.jsonl'), 'utf8')
    .split('\n')
    .filter((line) => line !== '');

/** The folder as it was when only so many lines had been written. */
function cut(dir: string, lines: number): string {
  const made = folder();
  writeFileSync(path.join(made, 'world.jsonl'), `${linesOf(dir).slice(0, lines).join('\n')}\n`);
  const key = path.join(dir, 'world.key');
  if (existsSync(key)) copyFileSync(key, path.join(made, 'world.key'));
  return made;
}

/** Everything about keys that anybody could see. */
/** Short, so that a difference can be read. */
const brief = (value: unknown) =>
  createHash('sha256').update(JSON.stringify(value)).digest('hex').slice(0, 8);

async function everything({ inspect, services }: Sandbox): Promise<Readonly<Record<string, string>>> {
  const nodes = await services.kubernetes.list(kinds.pods, { namespace: 'cassandra-system' });
  return {
    rows: brief(inspect.nekRows()),
    document: brief(inspect.secret()),
    loaded: brief(inspect.loaded()),
    secrets: brief(inspect.everySecretReadable()),
    secretsLater: brief(inspect.everySecretReadable({ afterRestart: true })),
    apiKeys: brief(inspect.everyApiKeyValid({ afterRestart: true })),
    tokens: brief(inspect.everyWorkerTokenRenewed({ afterRestart: true })),
    nodes: brief(nodes.map(({ status }) => status)),
  };
}

/** Changes of every kind, some of them under way when the next one comes. */
const steps: readonly ((sandbox: Sandbox) => unknown)[] = [
  ({ control }) => control.writeSecret({ path: 'functions/f/a', value: 'one' }),
  ({ control }) => control.writeSecret({ path: 'functions/f/b', value: 'two', namespace: 'fresh' }),
  (sandbox) => appendKey(sandbox, newer[0], 1),
  ({ control }) => control.issueKey(),
  ({ control }) => control.workerToken(),
  (sandbox) => pass(sandbox, 400_000),
  async (sandbox) => (await openSession(sandbox)).insert([newRow(), newRow({ kid: 'b' })], {}, never),
  async (sandbox) => (await openSession(sandbox)).insert([newRow({ status: 'VALIDATED' })], {}, never),
  ({ control }) => control.mishap({ at: 'nek-insert', how: 'lost' }),
  async (sandbox) =>
    (await openSession(sandbox)).insert([newRow({ kid: 'c' })], {}, never).catch(() => undefined),
  (sandbox) => activateKey(sandbox, newer[0]),
  ({ control }) => control.stopNode('cassandra-1'),
  ({ control }) => control.readSecret({ path: 'functions/f/a' }),
  (sandbox) => pass(sandbox, 900_000),
  ({ control }) => control.writeSecret({ path: 'functions/f/c', value: 'three', namespace: 'fresher' }),
  ({ control }) => control.startNode('cassandra-1'),
  ({ control }) => control.updateRow(newRow({ kid: 'ghost' }), { status: 'VALIDATED' }),
  ({ control }) => control.setCurrentKid('tenant-01', null),
  ({ control }) => control.deleteRow(newRow({ kid: 'b' })),
  ({ control }) => control.runMigrationsJob({ misbehaving: true }),
  (sandbox) => pass(sandbox, 30_000),
];

describe('keys outlive the process', () => {
  test('reopened after every change, the same rows, documents and loaded keys are there', async () => {
    const dir = folder();
    const sandbox = openKeys({ dir });
    const seen: { readonly lines: number; readonly state: Readonly<Record<string, string>> }[] = [];
    for (const step of steps) {
      await step(sandbox);
      seen.push({ lines: linesOf(dir).length, state: await everything(sandbox) });
    }
    expect(new Set(seen.map(({ state }) => brief(state))).size).toBeGreaterThan(14);
    for (const { lines, state } of seen)
      expect(await everything(openKeys({ dir: cut(dir, lines) }))).toEqual(state);
  });

  test('a process for every change comes to the same world as one for all', async () => {
    const [one, many] = [folder(), folder()];
    const all = openKeys({ dir: one });
    for (const step of steps) {
      await step(all);
      const again = openKeys({ dir: many });
      await step(again);
      again.close();
    }
    expect(await everything(openKeys({ dir: many }))).toEqual(await everything(all));
  });

  test('what is promoted is written down without its key, and no value of a secret is', async () => {
    const dir = folder();
    const sandbox = openKeys({ dir });
    const session = await openSession(sandbox);
    const [born] = sandbox.inspect.nekRows('nvcf');
    const row = newRow({ kid: born?.kid ?? '', createdAt: born?.createdAt ?? '' });
    await session.insert([row], {}, never);
    await session.insert([{ ...row, status: 'VALIDATED' }], {}, never);
    sandbox.control.writeSecret({ path: 'functions/f/a', value: 'a-value-of-a-secret' });
    appendKey(sandbox, newer[0], 1);
    const written = linesOf(dir).join('\n');
    expect(written.split(row.encryptedKey)).toHaveLength(2);
    expect(written).not.toContain(row.createdAt);
    expect(written).not.toContain('a-value-of-a-secret');
    expect(written).not.toContain(Buffer.alloc(32, 1).toString('base64url').slice(0, 30));
    expect(openKeys({ dir }).control.readSecret({ path: 'functions/f/a' })).toBe('a-value-of-a-secret');
  });

  test('a world with other keys is not mistaken for this one', () => {
    const dir = folder();
    openKeys({ dir });
    expect(() => openKeys({ dir, neks: { namespaces: 3, each: 5 } })).toThrow(/"each":4/);
  });
});
