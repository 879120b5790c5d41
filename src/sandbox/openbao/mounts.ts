import { createHash } from 'node:crypto';
import type { World } from '../world.ts';
import type { BaoCluster, BaoMount } from './state.ts';

/** Services with a key-value engine and a JWT engine of their own. */
const SERVICES = ['api-keys-api', 'ess-api', 'nvcf-api', 'nvcf-notary', 'nvct-api', 'spot-instance-service'];

export const JWT_ENGINE = 'vault-plugin-secrets-jwt';

/** A value that repeats with the seed, taken from no random number: it shifts nothing else. */
export function derived(world: World, ...about: readonly string[]): string {
  return createHash('sha256')
    .update(JSON.stringify([world.seed, ...about]))
    .digest('hex');
}

export function derivedUuid(world: World, ...about: readonly string[]): string {
  const hex = derived(world, ...about);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20, 32)}`;
}

export function addMount(
  world: World,
  cluster: BaoCluster,
  given: Pick<BaoMount, 'path' | 'type' | 'version'>,
): BaoMount {
  const mount: BaoMount = {
    ...given,
    uuid: derivedUuid(world, cluster.namespace, 'mount', given.path, String(world.timeline.now)),
    entries: new Map(),
    flat: new Map(),
    casRequired: false,
    maxVersions: 0,
  };
  cluster.mounts.set(given.path, mount);
  return mount;
}

/** The mounts that the chart's migrations make. */
export function addStandardMounts(world: World, cluster: BaoCluster): void {
  for (const path of ['services/all/kv', ...SERVICES.map((name) => `services/${name}/kv`)])
    addMount(world, cluster, { path, type: 'kv', version: '2' });
  for (const name of SERVICES)
    addMount(world, cluster, { path: `services/${name}/jwt`, type: JWT_ENGINE, version: '' });
}

/** The mount that a path lies in, and what of it is left. */
export function mountOf(
  cluster: BaoCluster,
  path: string,
): { readonly mount: BaoMount; readonly rest: string } | undefined {
  for (const mount of cluster.mounts.values())
    if (path === mount.path || path.startsWith(`${mount.path}/`))
      return { mount, rest: path.slice(mount.path.length + 1) };
  return undefined;
}
