import type { V1Deployment, V1StatefulSet } from '@kubernetes/client-node';
import { type Connection, listWorkloads } from '../../api.ts';
import { helm } from '../../charts/helm.ts';
import { heldKeys } from '../key-world.ts';

/** Marks of who rolled a workload out when, and for which key. */
const mark = /^(?:runbook\.io\/.*|kubectl\.kubernetes\.io\/restartedAt)$/;

export type Shape = Readonly<Record<string, unknown>>;

/** What a rollback has to bring back: every workload, every release, every master key. */
export async function shapeOfWorld(admin: Connection): Promise<Shape> {
  const [workloads, releases, { keys, currentKid }] = await Promise.all([
    listWorkloads(admin),
    releasesOf(),
    heldKeys(),
  ]);
  return {
    ...Object.fromEntries(workloads.map((workload) => [nameOf(workload), shapeOf(workload)])),
    ...releases,
    'master keys': [...keys].sort(),
    'active key': currentKid,
  };
}

interface Listed {
  name: string;
  status: string;
  chart: string;
}

async function releasesOf(): Promise<Record<string, string>> {
  const all = JSON.parse(await helm('list', '-A', '--all', '--output', 'json')) as Listed[];
  return Object.fromEntries(all.map(({ name, status, chart }) => [`release ${name}`, `${chart} ${status}`]));
}

function nameOf({ metadata }: V1Deployment | V1StatefulSet): string {
  return `${metadata?.namespace}/${metadata?.name}`;
}

function shapeOf({ metadata, spec }: V1Deployment | V1StatefulSet): unknown {
  const template = structuredClone(spec?.template);
  const annotations = Object.entries(template?.metadata?.annotations ?? {}).filter(
    ([name]) => !mark.test(name),
  );
  return {
    replicas: spec?.replicas,
    chart: metadata?.labels?.['helm.sh/chart'],
    labels: template?.metadata?.labels,
    annotations,
    pod: template?.spec,
    ...(spec !== undefined && 'updateStrategy' in spec ? { updateStrategy: spec.updateStrategy } : {}),
  };
}
