import type { ReadContext } from '../../engine/step-type.ts';
import { StepError } from '../../engine/step-type.ts';
import { selectRow } from '../../keys/nek-selection.ts';
import type { NekReadSession } from '../../services/nek-store.ts';
import { onStore } from '../mek/session.ts';
import type { NekWorld } from './open.ts';
import { readNeks } from './scan.ts';

/** The key that ESS encrypts new secrets of a namespace with. */
export interface CurrentKey {
  readonly namespace: string;
  /** Empty: it has none. */
  readonly kid: string;
  /** It has a row that ESS can open. */
  readonly usable: boolean;
}

export interface KeyBefore {
  readonly namespace: string;
  readonly from: string;
}

export async function currentKey(
  ctx: ReadContext,
  { session, document }: NekWorld<NekReadSession>,
  namespace: string,
): Promise<CurrentKey> {
  const rows = await onStore('read the namespace keys', () => session.partition({ namespace }, ctx.signal));
  const kid = rows[0]?.currentKid ?? '';
  const selection = selectRow(
    rows.filter((row) => row.kid === kid),
    document,
  );
  if (selection.ok) selection.nek.wipe();
  return { namespace, kid, usable: selection.ok };
}

/** The current keys of these namespaces, or of all; each of them must have one that works. */
export async function keysBefore(
  ctx: ReadContext,
  world: NekWorld<NekReadSession>,
  wanted: readonly string[] | undefined,
): Promise<readonly KeyBefore[]> {
  const namespaces = wanted ?? (await everyNamespace(ctx, world));
  const keys: CurrentKey[] = [];
  for (const namespace of [...new Set(namespaces)].sort()) keys.push(await currentKey(ctx, world, namespace));
  const bad = keys.filter(({ usable }) => !usable);
  if (bad.length === 0 && keys.length > 0)
    return keys.map(({ namespace, kid }) => ({ namespace, from: kid }));
  throw new StepError('no-current-key', 'There are namespaces without a current key that works.', {
    outcome: 'not-applied',
    details: bad.map(
      ({ namespace, kid }) => `${namespace}: ${kid === '' ? 'has no key yet' : `${kid} cannot be opened`}`,
    ),
    hint: 'A namespace gets its first key with its first secret. See what is wrong with the others with nek.census.',
  });
}

async function everyNamespace(
  ctx: ReadContext,
  { session }: NekWorld<NekReadSession>,
): Promise<readonly string[]> {
  const found = new Set<string>();
  await readNeks(ctx, session, ({ neks }) => {
    for (const [row] of neks) if (row !== undefined && row.currentKid !== null) found.add(row.namespace);
  });
  return [...found];
}
