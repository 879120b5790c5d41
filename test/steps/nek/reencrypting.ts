import { reencrypt } from '../../../src/steps/nek/reencrypt.ts';
import type { MemoryNekStore } from '../../fakes/memory-nek-store.ts';
import { captured, nekRig, place } from '../../fakes/nek-rig.ts';
import { nekOf, nekRow } from '../../fakes/nek-rows.ts';

/** What ESS would open: the newest row in use, by the rule in a test's own words. */
export function inUse(store: MemoryNekStore, namespace: string, seed = namespace) {
  const rows = store.all().filter((row) => row.namespace === namespace && row.kid === nekOf(seed).kid);
  const [row] = rows
    .filter(({ status }) => status === 'VALIDATED' || status === 'CREATION_VALIDATED')
    .sort((a, b) => b.encryptedAt - a.encryptedAt);
  if (row === undefined) throw new Error(`${namespace} has no row in use`);
  return row;
}

export function someRows(store: MemoryNekStore, count = 5): void {
  for (let index = 0; index < count; index++) store.put(nekRow({ namespace: `ns-${index}` }));
}

export async function started(store?: MemoryNekStore, input = place) {
  const rig = nekRig(store);
  return { ...rig, begin: () => captured(reencrypt, input, rig.ctx) };
}
