import { derived } from '../crypto/derive.ts';
import { timeUuid } from '../crypto/time-uuid.ts';
import type { World } from '../world.ts';
import { documentOf, MEK_PATH } from './seed.ts';
import { readStored, writeSecret } from './stored.ts';

export type MigrationsOutcome =
  /** The job found the document and left it alone. */
  | { readonly wrote: false }
  | { readonly wrote: true; readonly version: number }
  | { readonly wrote: false; readonly refused: string };

/**
 * The Job that every upgrade of OpenBao's chart runs again. It takes a read that fails for an absent secret, and then writes fresh keys
 * under a new kid without check-and-set: `misbehaving` is such a read.
 */
export function runMigrations(world: World, misbehaving: boolean): MigrationsOutcome {
  const stored = readStored(world);
  if (stored.state === 'found' && !misbehaving) return { wrote: false };
  if (stored.state === 'unavailable') return { wrote: false, refused: 'OpenBao does not answer' };
  const { now } = world.timeline;
  const fresh = (set: string) => derived(world.seed, 32, 'migrations', set, now);
  const kid = timeUuid(world.seed, now, 'migrations');
  const document = documentOf(kid, { keys: fresh('keys'), private_jwks: fresh('private_jwks') });
  const written = writeSecret(world, MEK_PATH, document);
  return 'refused' in written
    ? { wrote: false, refused: written.refused }
    : { wrote: true, version: written.version };
}
