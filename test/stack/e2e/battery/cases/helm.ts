import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { expect } from 'vitest';
import { versionsOf } from '../../../charts/files.ts';
import { helm } from '../../../charts/helm.ts';
import { chartRegistry } from '../../../charts/registry.ts';
import type { RunbookCase, Scene } from '../case.ts';
import { upgradeByHand } from '../trouble.ts';

const notary = { namespace: 'nvcf', release: 'notary-service', chart: 'helm-nvcf-notary-service' };
const { pinned, patch, unready } = versionsOf('1.4.2');
const registry = `registry=${chartRegistry}`;

interface Newest {
  version: number;
  info: { status: string };
  chart: string;
}

export async function expectDeployed(release: string, namespace: string, version: string): Promise<void> {
  const [status, metadata] = await Promise.all([
    helm('status', release, '--namespace', namespace, '--output', 'json'),
    helm('get', 'metadata', release, '--namespace', namespace, '--output', 'json'),
  ]);
  const { info } = JSON.parse(status) as Newest;
  expect([info.status, (JSON.parse(metadata) as { version: string }).version]).toEqual(['deployed', version]);
}

/** What `spot-upgrade` is told; the recipients are for the values that it keeps. */
const to =
  (version: string, ...more: string[]) =>
  ({ operator }: Scene) => [
    'service=notary',
    registry,
    `version=${version}`,
    ...operator.backup.filter((word) => word !== '--input'),
    ...more,
  ];

/** The runbooks that work on Helm releases of any service. */
export const helmCases: readonly RunbookCase[] = [
  {
    runbook: 'pre-upgrade-checklist',
    prepare: to(patch),
    done: async ({ operator }) => {
      const kept = readdirSync(path.join(operator.folder, 'helm-backups'));
      expect(kept).toEqual([expect.stringMatching(/^notary-service-values-.*\.yaml\.age$/)]);
      await expectDeployed('notary-service', 'nvcf', pinned);
    },
    failure: {
      what: 'the pods of a service crash',
      prepare: async (scene) => {
        await upgradeByHand(notary, unready);
        return to(patch)(scene);
      },
      exit: [4],
      says: /healthy = false \(notary\)/,
      heal: async ({ operator }) => {
        expect(existsSync(path.join(operator.folder, 'helm-backups'))).toBe(false);
        await helm('rollback', notary.release, '--namespace', notary.namespace, '--wait');
      },
      // It had changed nothing: what was by hand was taken back by hand.
      changed: () => expectDeployed('notary-service', 'nvcf', pinned),
    },
    killed: true,
  },
  {
    runbook: 'spot-upgrade',
    prepare: to(patch, 'reuse=true'),
    done: () => expectDeployed('notary-service', 'nvcf', patch),
    failure: {
      what: 'the pods of the new version crash',
      prepare: to(unready, 'reuse=true', 'timeout=15s'),
    },
    killed: true,
  },
  {
    runbook: 'rollback-release',
    prepare: async () => {
      await upgradeByHand(notary, patch, '--wait');
      return ['service=notary'];
    },
    done: () => expectDeployed('notary-service', 'nvcf', pinned),
    failure: {
      what: 'the pods of the earlier version crash',
      prepare: async () => {
        await upgradeByHand(notary, unready);
        await upgradeByHand(notary, patch, '--wait');
        return ['service=notary', 'revision=2', 'timeout=15s'];
      },
    },
    killed: true,
  },
];
