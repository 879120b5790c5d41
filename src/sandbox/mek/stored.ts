import type { World } from '../world.ts';
import { MEK_PATH } from './seed.ts';

/** The namespace of the OpenBao cluster that the services of the control plane use. */
export const BAO_NAMESPACE = 'vault-system';

export type Stored =
  | { readonly state: 'found'; readonly version: number; readonly data: Readonly<Record<string, unknown>> }
  | { readonly state: 'absent' }
  /** Nobody answers: sealed, or without a leader. */
  | { readonly state: 'unavailable' };

interface StubSecret {
  casRequired: boolean;
  readonly versions: Readonly<Record<string, unknown>>[];
}
const stubs = new WeakMap<World, Map<string, StubSecret>>();

function stubOf(world: World, at: { mount: string; path: string }): StubSecret {
  const map = stubs.get(world) ?? new Map<string, StubSecret>();
  stubs.set(world, map);
  const key = `${at.mount}/${at.path}`;
  const known = map.get(key) ?? { casRequired: false, versions: [] };
  map.set(key, known);
  return known;
}

/** What a service of the control plane reads at a path. */
export function readSecret(world: World, at: { readonly mount: string; readonly path: string }): Stored {
  const cluster = world.openbao.get(BAO_NAMESPACE);
  if (cluster?.leader === undefined) return { state: 'unavailable' };
  const { versions } = stubOf(world, at);
  const data = versions.at(-1);
  return data === undefined ? { state: 'absent' } : { state: 'found', version: versions.length, data };
}

export function readStored(world: World): Stored {
  return readSecret(world, MEK_PATH);
}

/** Version of the document, whether or not anybody can read it now; 0 when there is none. */
export function storedVersion(world: World): number {
  return stubOf(world, MEK_PATH).versions.length;
}

/** Writes past every check but check-and-set where that is required; answers the new version or why it was refused. */
export function writeSecret(
  world: World,
  at: { readonly mount: string; readonly path: string },
  data: Readonly<Record<string, unknown>>,
): { readonly version: number } | { readonly refused: string } {
  const stub = stubOf(world, at);
  if (stub.casRequired) return { refused: 'check-and-set parameter required for this call' };
  stub.versions.push(data);
  return { version: stub.versions.length };
}
