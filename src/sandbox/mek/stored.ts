import { goJson } from '../openbao/answers.ts';
import { clusterOf } from '../openbao/cluster.ts';
import { addVersion, casProblem, kvPeek, kvSeed } from '../openbao/kv.ts';
import { serverNow } from '../openbao/server-clock.ts';
import type { World } from '../world.ts';
import { MEK_PATH, seededSecrets } from './seed.ts';

/** The namespace of the OpenBao cluster that the services of the control plane use. */
export const BAO_NAMESPACE = 'vault-system';

interface SecretAt {
  readonly mount: string;
  readonly path: string;
}

export type Stored =
  | { readonly state: 'found'; readonly version: number; readonly data: Readonly<Record<string, unknown>> }
  | { readonly state: 'absent' }
  /** Nobody answers: sealed, or without a leader. */
  | { readonly state: 'unavailable' };

/** What a service of the control plane reads at a path. */
export function readSecret(world: World, at: SecretAt): Stored {
  if (world.openbao.get(BAO_NAMESPACE)?.leader === undefined) return { state: 'unavailable' };
  const found = kvPeek(world, BAO_NAMESPACE, at.mount, at.path);
  return found === undefined ? { state: 'absent' } : { state: 'found', ...found };
}

export function readStored(world: World): Stored {
  return readSecret(world, MEK_PATH);
}

/** Version of the document, whether or not anybody can read it now; 0 when there is none. */
export function storedVersion(world: World): number {
  const { mount, path } = MEK_PATH;
  return world.openbao.get(BAO_NAMESPACE)?.mounts.get(mount)?.entries.get(path)?.current ?? 0;
}

/** A write without check-and-set, as a careless client makes it; answers the new version or why it was refused. */
export function writeSecret(
  world: World,
  at: SecretAt,
  data: Readonly<Record<string, unknown>>,
): { readonly version: number } | { readonly refused: string } {
  const cluster = clusterOf(world, BAO_NAMESPACE);
  const mount = cluster.mounts.get(at.mount);
  if (cluster.leader === undefined) return { refused: 'OpenBao does not answer' };
  if (mount === undefined) return { refused: `no handler for route "${at.mount}/data/${at.path}"` };
  const problem = casProblem(mount, at.path, undefined);
  if (problem !== undefined) return { refused: problem };
  return { version: addVersion(mount, at.path, { json: goJson(data), now: serverNow(world) }).current };
}

/** What an installation leaves for the services that use master keys. */
export function seedSecrets(world: World, earlierKeys: number): void {
  for (const { mount, path, data, createdAt } of seededSecrets(world.seed, world.epoch, earlierKeys))
    kvSeed(world, BAO_NAMESPACE, mount, path, data, createdAt);
}
