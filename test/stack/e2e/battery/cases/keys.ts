import { readdirSync } from 'node:fs';
import path from 'node:path';
import { expect } from 'vitest';
import { cql, everySecretReadable, issueApiKey, runMigrations, writeMasterKeys } from '../../../control.ts';
import { keySet, masterKey, readKeySet, timeUuid } from '../../../key-format.ts';
import { outputsOf } from '../../key-checks.ts';
import { onlyTheMasterKey } from '../../key-runbooks.ts';
import {
  allowBlindWrites,
  essEnvironment,
  everythingOpens,
  heldKeys,
  namespaceKeyRows,
  replacePods,
  wrappedBy,
} from '../../key-world.ts';
import type { Failure, RunbookCase, Scene } from '../case.ts';
import type { Shape } from '../shape.ts';
import { allowPods, forbidPods, loseQuorum, regainQuorum } from '../trouble.ts';

/** What a runbook that makes backups is told. */
export const backupInputs = ({ operator }: Scene): string[] =>
  operator.backup.filter((word) => word !== '--input');

/** Something by the program itself that must go well before the case begins. */
export async function runQuietly({ operator }: Scene, ...args: readonly string[]): Promise<void> {
  const { code, stdout, stderr } = await operator.run(args);
  expect(code, `${stdout}\n${stderr}`).toBe(0);
}

/** Publishes and activates a master key, under which no namespace key is yet. */
async function publishKey(scene: Scene): Promise<string> {
  await runQuietly(scene, 'exec', scene.operator.write('publish.yaml', onlyTheMasterKey), '--yes');
  return (await heldKeys()).currentKid;
}

/** Cassandra has no quorum from the moment on at which a step begins. */
export function withoutQuorum(id: string, more: Partial<Failure> = {}): Failure {
  return {
    what: 'Cassandra loses its quorum',
    exit: [1, 7],
    strike: { at: (event) => event.type === 'intended' && event.id === id, does: loseQuorum },
    heal: regainQuorum,
    ...more,
  };
}

/** By when it comes to it, the step ends, or waits for Cassandra as long as it has time: whoever sees that interrupts it. */
function waitedForQuorum(id: string): Failure {
  return {
    ...withoutQuorum(id),
    what: 'Cassandra loses its quorum, and a wait for it is interrupted',
    exit: [1, 7, 130],
    strike: {
      at: (event) => event.type === 'intended' && event.id === id,
      does: async (_, running) => {
        await loseQuorum();
        const { type } = await running.event(
          (event) =>
            event.type === 'run-finished' ||
            (event.type === 'progress' && /^waiting for Cassandra/.test(event.text)),
        );
        if (type === 'progress') running.signal('SIGINT');
      },
    },
  };
}

async function expectAllUnder({ admin }: Scene): Promise<void> {
  const { currentKid } = await heldKeys();
  expect(Object.keys(wrappedBy(await namespaceKeyRows()))).toEqual([currentKid]);
  expect((await everythingOpens(admin)).wrong).toEqual([]);
}

/** What the published procedure leaves: the set of API Keys is a copy of the other one. */
async function copyOneSetOverTheOther(scene: Scene): Promise<void> {
  await allowBlindWrites();
  const { fields } = await heldKeys();
  const fresh = masterKey(timeUuid(Date.now()));
  const rotated = keySet([fresh, ...readKeySet(fields.keys)]);
  await writeMasterKeys({
    keys: rotated,
    private_jwks: rotated,
    current_kid: fresh.kid,
    jwe_mapping: JSON.stringify({ payload_jwe_kid: fresh.kid }),
  });
  await replacePods(scene.admin, 'apiKeys');
  await issueApiKey('after-the-damage');
}

async function overwriteKeys(scene: Scene): Promise<string> {
  await runQuietly(scene, 'exec', 'backup-openbao', '--yes', ...scene.operator.backup);
  const { backup } = await outputsOf(scene.operator);
  expect((await runMigrations({ readFails: true })).succeeded).toBe(true);
  return `file=${backup}`;
}

/** A service cannot be restarted from the moment on at which a step is decided. */
const noNewPod =
  (service: string, namespace: string) =>
  (id: string, prepare: Failure['prepare']): Failure => ({
    what: `${service} cannot be restarted: the quota of its namespace admits no new pod`,
    ...(prepare === undefined ? {} : { prepare }),
    strike: {
      at: (event) => event.type === 'evaluated' && event.id === id,
      does: ({ admin }) => forbidPods(admin, namespace),
    },
    heal: ({ admin }) => allowPods(admin, namespace),
  });

export const noNewApiKeysPod = noNewPod('API Keys', 'api-keys');
const noNewEssPod = noNewPod('ESS', 'ess');

/** A key that may have wrapped something stays, also after a rollback; all the rest is as before. */
export function onlyKeysAdded(_: Scene, before: Shape, after: Shape): void {
  const { 'master keys': had, ...rest } = before;
  const { 'master keys': has, ...restAfter } = after;
  expect(has).toEqual(expect.arrayContaining(had as string[]));
  expect(restAfter).toEqual(rest);
}

/** Master keys and namespace keys. */
export const keyCases: readonly RunbookCase[] = [
  {
    runbook: 'backup-openbao',
    prepare: backupInputs,
    done: async ({ operator }) => {
      const kept = readdirSync(path.join(operator.folder, 'mek-backups'));
      expect(kept.map((name) => path.extname(name)).sort()).toEqual(
        expect.arrayContaining(['.age', '.snap']),
      );
    },
    failure: withoutQuorum('backup'),
    killed: true,
  },
  {
    runbook: 'mek-audit',
    prepare: () => [],
    done: async (_, { stdout }) => expect(stdout).toContain('run-finished'),
    killed: false,
    alsoIn: 'rotation.test.ts',
  },
  {
    runbook: 'mek-converge',
    prepare: async (scene) => [`kid=${await publishKey(scene)}`],
    done: async ({ admin }) => expect((await everythingOpens(admin)).wrong).toEqual([]),
    failure: noNewApiKeysPod('converge', async (scene) => [`kid=${await publishKey(scene)}`, 'patience=30s']),
    killed: true,
  },
  {
    runbook: 'mek-rotation',
    prepare: (scene) => [...backupInputs(scene), 'reloadWithin=5s'],
    done: expectAllUnder,
    failure: withoutQuorum('reencrypt', { changed: onlyKeysAdded }),
    killed: true,
    alsoIn: 'rotation.test.ts',
  },
  {
    runbook: 'mek-retire',
    slow: true,
    prepare: async (scene) => {
      const { currentKid } = await heldKeys();
      await runQuietly(scene, 'exec', 'mek-rotation', '--yes', ...scene.operator.backup);
      return [`kid=${currentKid}`, ...backupInputs(scene)];
    },
    // Nobody waits for an hour here; what comes then is tried on the sandbox, whose clock can be moved.
    exit: 10,
    done: async () => expect((await heldKeys()).keys).toHaveLength(4),
    failure: withoutQuorum('backup'),
    killed: true,
  },
  {
    runbook: 'mek-repair-private-jwks',
    prepare: async (scene) => {
      await copyOneSetOverTheOther(scene);
      return backupInputs(scene);
    },
    done: async ({ admin }) => expect((await everythingOpens(admin)).wrong).toEqual([]),
    failure: {
      ...noNewApiKeysPod('loaded/converge', async (scene) => {
        await copyOneSetOverTheOther(scene);
        return [...backupInputs(scene), 'patience=30s'];
      }),
      changed: onlyKeysAdded,
    },
    killed: true,
    alsoIn: 'rotation.test.ts',
  },
  {
    runbook: 'mek-restore-from-backup',
    prepare: async (scene) => [await overwriteKeys(scene)],
    done: async ({ admin }) => expect((await everythingOpens(admin)).wrong).toEqual([]),
    failure: {
      ...noNewApiKeysPod('loaded/converge', async (scene) => [await overwriteKeys(scene), 'patience=30s']),
      changed: onlyKeysAdded,
    },
    killed: true,
    alsoIn: 'rotation.test.ts',
  },
  {
    runbook: 'nek-reencryption',
    prepare: async (scene) => {
      await publishKey(scene);
      return ['rowsPerSecond=40'];
    },
    done: expectAllUnder,
    failure: waitedForQuorum('reencrypt'),
    killed: true,
  },
  {
    runbook: 'nek-reencryption-by-ess',
    prepare: async (scene) => {
      await publishKey(scene);
      return [];
    },
    done: expectAllUnder,
    failure: noNewEssPod('switchOn', async (scene) => {
      await publishKey(scene);
      return [];
    }),
    killed: true,
    alsoIn: 'rotation.test.ts',
  },
  {
    runbook: 'nek-rotation',
    prepare: () => ['namespaces=nvcf,tenant-01'],
    done: async ({ operator, admin }) => {
      const { rotated } = (await outputsOf(operator)) as { rotated: readonly unknown[] };
      expect(rotated).toHaveLength(2);
      expect((await essEnvironment(admin)).join()).not.toContain('NEK_ROTATION_ENABLED=true');
      expect((await everySecretReadable()).wrong).toEqual([]);
      expect(await cql('SELECT * FROM ess_api.namespaces')).not.toEqual([]);
    },
    failure: noNewEssPod('rotate', () => ['namespaces=nvcf', 'patience=15s']),
    killed: true,
    alsoIn: 'rotation.test.ts',
  },
];
