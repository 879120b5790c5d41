import { readdirSync } from 'node:fs';
import path from 'node:path';
import { expect } from 'vitest';
import type { Sandbox } from '../../src/sandbox/open.ts';
import { newestRun, outputsOf } from '../cli/key-runs.ts';
import { prepareWorld } from '../cli/key-world.ts';
import {
  addUnusedKey,
  leaveUnfinished,
  otherKid,
  overwriteAfterBackup,
  rotateByTheBook,
} from '../cli/key-worlds.ts';
import type { Rig } from '../cli/rig.ts';
import { pass } from '../sandbox/rig.ts';

const root = path.dirname(path.dirname(import.meta.dirname));

/** What an operator would give; runbooks that are not named here take nothing. */
export const inputs: Readonly<Record<string, readonly string[]>> = {
  'bring-online': ['service=nvcf-api'],
  'collect-logs': ['service=nvcf-api', 'tail=5'],
  'describe-service': ['service=openbao'],
  'dirty-migration': ['keyspace=nvcf_api', 'version=42'],
  // The active key of the simulated document.
  'mek-converge': ['kid=7cc6ae00-9b80-11f0-af65-957252ef94ac'],
  'mek-restore-from-backup': ['file=mek-backups/mek.age'],
  'mek-retire': [`kid=${otherKid}`],
  'restart-namespace': ['namespace=api-keys'],
  'pre-upgrade-checklist': ['service=nvcf-api', 'version=1.25.2'],
  'restart-service': ['service=nvcf-api'],
  'restart-workload': [
    'service=notary',
    'namespace=nvcf',
    'kind=Deployment',
    'resource=notary-service',
    'selector=app.kubernetes.io/name=helm-nvcf-notary-service',
  ],
  'rollback-release': ['service=nvcf-api'],
  'scale-service': ['service=invocation-service', 'replicas=3'],
  'spot-upgrade': ['service=nvcf-api', 'version=1.25.2', 'reuse=true'],
  'take-offline': ['service=nvcf-api'],
  'vault-agent-login': ['service=nvcf-api'],
  'upgrade-cassandra': ['version=0.20.2', 'reuse=true', 'acceptJobs=true'],
  'upgrade-nats': ['version=0.7.2', 'reuse=true'],
  'upgrade-openbao': ['reuse=true'],
};

/** What must have happened before, for runbooks that have nothing to do in a control plane that is as it should be. */
const worlds: Readonly<Record<string, (sandbox: Sandbox, folder: string) => void | Promise<void>>> = {
  'dirty-migration': ({ control }) => control.ledger('nvcf_api', [{ version: 42, dirty: true }]),
  'mek-repair-private-jwks': rotateByTheBook,
  'mek-restore-from-backup': (sandbox, folder) =>
    overwriteAfterBackup(sandbox, path.join(folder, 'mek-backups', 'mek.age')),
  'mek-retire': addUnusedKey,
  'nek-reencryption': leaveUnfinished,
  'nek-reencryption-by-ess': leaveUnfinished,
};

/** Every shipped runbook. */
export const names = readdirSync(path.join(root, 'runbooks'))
  .filter((file) => file.endsWith('.yaml') && file !== 'services.yaml')
  .map((file) => file.replace(/\.yaml$/, ''));

export function given(name: string, values = inputs[name] ?? []): readonly string[] {
  return [name, '--sandbox', ...values.flatMap((value) => ['--input', value])];
}

/** Those that open a backup. */
export const ofBackup = ['restore-control-plane', 'verify-backup'];

/** The options that begin with a world of which a backup was taken, and name that. */
async function afterBackup(rig: Rig): Promise<readonly string[]> {
  const { code, stderr } = await rig.run(['exec', 'backup-control-plane', '--sandbox', '--yes']);
  expect(code, stderr).toBe(0);
  const folder = newestRun(rig);
  return ['--world', folder, '--input', `manifest=${outputsOf(folder).manifest}`];
}

/** The options that begin with the world that a runbook needs. */
export async function inItsWorld(name: string, rig: Rig): Promise<readonly string[]> {
  if (ofBackup.includes(name)) return await afterBackup(rig);
  const { folder } = rig;
  const change = worlds[name];
  if (change === undefined) return [];
  const prepare = async (sandbox: Sandbox) => {
    await change(sandbox, folder);
    await pass(sandbox, 4 * 3_600_000);
  };
  return ['--world', await prepareWorld(prepare)];
}
