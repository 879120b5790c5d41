import { existsSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import type { Sandbox } from '../../src/sandbox/open.ts';
import { kinds } from '../../src/services/kubernetes.ts';
import { invocation, versions } from '../fakes/helm-steps.ts';
import { never, pass } from '../sandbox/rig.ts';
import { inWorld } from './key-runs.ts';
import { prepareWorld } from './key-world.ts';
import { createRig } from './rig.ts';

/** Somebody's Helm client dies in the middle of an upgrade of another service. */
async function leavePending(sandbox: Sandbox): Promise<void> {
  const target = { ...invocation, version: versions.good, values: 'reuse' as const, operation: 'by-hand' };
  const run = { signal: never, onStart: async () => undefined, timeout: 300_000 };
  const died = sandbox.services.helm.upgrade(target, run).catch(() => undefined);
  await pass(sandbox, 1_000);
  sandbox.control.killHelm();
  await died;
  // Only the release tells by then: its pods are complete.
  await pass(sandbox, 600_000);
}

/** The pods of another service crash again and again. */
async function crash(sandbox: Sandbox): Promise<void> {
  const ref = { kind: kinds.deployments, namespace: 'nvcf', name: 'invocation-service' };
  const body = [
    { op: 'add', path: '/spec/template/spec/containers/0/env', value: [{ name: 'CRASH', value: 'true' }] },
  ];
  await sandbox.services.kubernetes.patch(ref, { type: 'json', body });
  await pass(sandbox, 300_000);
}

test.each([
  [
    'a release is pending',
    leavePending,
    /"No Helm operation is open, in any namespace" failed: .*\. Nothing was changed/,
    /^ +nvcf\/invocation-service: revision 2 is pending-upgrade since \S+\n +next: find out whether a helm client .* acceptPending=true /m,
  ],
  [
    'pods of a service crash',
    crash,
    /"Every service is rolled out, ready and answers" failed: .*\. Nothing was changed/,
    /healthy = false \(invocation-service\)\n.*; what is wrong with one, check-health says$/m,
  ],
])(
  'pre-upgrade-checklist stops when %s, says which, and keeps no file',
  async (_what, trouble, says, names) => {
    const rig = createRig();
    const world = await prepareWorld(trouble);
    const inputs = ['service=nvcf-api', 'version=1.25.2'].flatMap((input) => ['--input', input]);
    const { code, stderr } = await inWorld(rig, world, ['exec', 'pre-upgrade-checklist', '--yes', ...inputs]);
    expect(code, stderr).toBe(4);
    expect(stderr).toMatch(says);
    expect(stderr).toMatch(names);
    expect(existsSync(path.join(rig.folder, 'helm-backups'))).toBe(false);
    const back = await rig.run(['rollback', 'last', '--yes']);
    expect(back.code, back.stderr).toBe(5);
  },
);
