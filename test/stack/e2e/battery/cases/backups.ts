import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect } from 'vitest';
import { cql, runMigrations } from '../../../control.ts';
import { outputsOf } from '../../key-checks.ts';
import { everythingOpens, heldKeys, namespaceKeyRows } from '../../key-world.ts';
import type { RunbookCase, Scene } from '../case.ts';
import { backupInputs, noNewApiKeysPod, onlyKeysAdded, runQuietly, withoutQuorum } from './keys.ts';

/** Backs everything up; answers the list of the backup. */
async function backUp(scene: Scene): Promise<string> {
  await runQuietly(scene, 'exec', 'backup-control-plane', '--yes', ...scene.operator.backup);
  const { manifest } = await outputsOf(scene.operator);
  return path.resolve(scene.operator.folder, String(manifest));
}

/** Keys and rows as they were when the backup was made, by the operator's folder. */
const kept = new Map<string, { keys: readonly string[]; rows: ReadonlyMap<string, string> }>();

/** Backs up, and loses: the migrations Job overwrites the master keys, and a namespace's keys are deleted. */
async function lose(scene: Scene): Promise<string[]> {
  const manifest = await backUp(scene);
  kept.set(scene.operator.folder, { keys: (await heldKeys()).keys, rows: await namespaceKeyRows() });
  expect((await runMigrations({ readFails: true })).succeeded).toBe(true);
  await cql("DELETE FROM ess_api.encryption_keys_by_kid_and_encrypted_at WHERE namespace = 'tenant-01'");
  return [`manifest=${manifest}`];
}

async function expectAllBack({ admin, operator }: Scene): Promise<void> {
  const before = kept.get(operator.folder);
  expect((await heldKeys()).keys).toEqual(expect.arrayContaining([...(before?.keys ?? [])]));
  const rows = await namespaceKeyRows();
  const missing = [...(before?.rows ?? [])].filter(([key, text]) => rows.get(key) !== text);
  expect(missing).toEqual([]);
  expect((await everythingOpens(admin)).wrong).toEqual([]);
}

/** Backups of the whole control plane. */
export const backupCases: readonly RunbookCase[] = [
  {
    runbook: 'backup-control-plane',
    alsoIn: 'control-plane-backup.test.ts',
    prepare: backupInputs,
    done: async ({ operator }) => {
      const { manifest } = await outputsOf(operator);
      const file = path.resolve(operator.folder, String(manifest));
      expect(existsSync(file)).toBe(true);
      expect(readdirSync(path.dirname(file)).filter((name) => name.startsWith('values-'))).toHaveLength(13);
    },
    failure: withoutQuorum('namespaceKeys'),
    killed: true,
  },
  {
    runbook: 'verify-backup',
    alsoIn: 'control-plane-backup.test.ts',
    prepare: async (scene) => [`manifest=${await backUp(scene)}`],
    done: async ({ operator }) => {
      const [folder] = readdirSync(path.join(operator.folder, 'control-plane-backups'));
      const file = path.join(operator.folder, 'control-plane-backups', String(folder), 'namespace-keys.age');
      const bytes = readFileSync(file);
      bytes[bytes.length - 20] = (bytes[bytes.length - 20] ?? 0) ^ 1;
      writeFileSync(file, bytes);
      const manifest = path.join(path.dirname(file), 'manifest.json');
      const spoilt = await operator.run([
        'exec',
        'verify-backup',
        '--yes',
        '--input',
        `manifest=${manifest}`,
      ]);
      expect([1, 4], spoilt.stderr).toContain(spoilt.code);
    },
    killed: false,
  },
  {
    runbook: 'restore-control-plane',
    alsoIn: 'control-plane-backup.test.ts',
    prepare: lose,
    done: expectAllBack,
    failure: {
      ...noNewApiKeysPod('masterKeys/loaded/converge', async (scene) => [
        ...(await lose(scene)),
        'patience=30s',
      ]),
      changed: onlyKeysAdded,
    },
    killed: true,
  },
];
