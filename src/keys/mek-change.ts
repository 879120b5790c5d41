import { shortHash } from './hash.ts';
import { uuidV1Time } from './kid.ts';
import type { MekDocument } from './mek-document.ts';
import { MekKey } from './mek-key.ts';

/** Changes of a document; none but `withdrawKey` and `retireKey` drops a key, none copies a key from one set to the other. */
export type MekChange =
  | { readonly ok: true; readonly document: MekDocument }
  | { readonly ok: false; readonly problem: string };

export type MekSetName = 'keys' | 'private_jwks';

export interface MekPlace {
  readonly set: MekSetName;
  readonly kid: string;
}

/**
 * A new key at the end of both sets, with 32 fresh random bytes of its own in each; nothing else changes. Refuses a kid that is
 * taken in either set, is no UUIDv1, or is not newer than every UUIDv1 there.
 */
export function appendKey(document: MekDocument, { kid }: { readonly kid: string }): MekChange {
  const time = uuidV1Time(kid);
  if (time === undefined) return refused(`The new kid ${kid} is no lower-case UUIDv1.`);
  for (const other of [...document.keys, ...document.privateJwks]) {
    if (other.kid === kid) return refused(`The kid ${kid} is already in the document.`);
    if ((uuidV1Time(other.kid) ?? Number.NEGATIVE_INFINITY) >= time)
      return refused(
        `The new kid ${kid} is not newer than ${other.kid}; ESS would take it for the older key.`,
      );
  }
  return changed(
    document.with({
      keys: [...document.keys, MekKey.generate(kid)],
      privateJwks: [...document.privateJwks, MekKey.generate(kid)],
    }),
  );
}

/** The key to the front of both sets, and the two marks to its kid; what came before stays behind it. Also demotes, given the previous kid. */
export function activateKey(document: MekDocument, kid: string): MekChange {
  const key = document.key(kid);
  const privateKey = document.privateKey(kid);
  if (key === undefined) return refused(`The kid ${kid} is not in keys.`);
  if (privateKey === undefined) return refused(`The kid ${kid} is not in private_jwks.`);
  if (uuidV1Time(kid) === undefined)
    return refused(
      `The kid ${kid} is no lower-case UUIDv1; ESS would refuse the whole list with it in front.`,
    );
  return changed(
    document.with({
      keys: [key, ...document.keys.filter((other) => other !== key)],
      privateJwks: [privateKey, ...document.privateJwks.filter((other) => other !== privateKey)],
      currentKid: kid,
      jweMappingKid: kid,
    }),
  );
}

/** Takes `appendKey` back. Refuses the active key; that nothing was wrapped with it is the caller's to prove. */
export function withdrawKey(document: MekDocument, kid: string): MekChange {
  return removeKey(document, kid);
}

/** Takes a key out of both sets. Refuses the active key; that nothing needs it is the caller's to prove. */
export function retireKey(document: MekDocument, kid: string): MekChange {
  return removeKey(document, kid);
}

function removeKey(document: MekDocument, kid: string): MekChange {
  if (kid === document.currentKid || kid === document.keys[0]?.kid)
    return refused(`The kid ${kid} is the active one.`);
  if (document.key(kid) === undefined && document.privateKey(kid) === undefined)
    return refused(`The kid ${kid} is not in the document.`);
  return changed(
    document.with({
      keys: document.keys.filter((key) => key.kid !== kid),
      privateJwks: document.privateJwks.filter((key) => key.kid !== kid),
    }),
  );
}

/**
 * Every (kid, bytes) of `other` that is missing in the same set of `document`, at the end of that set; order and marks stay.
 * Refuses when a kid has other bytes in the same set. `added` is empty when there was nothing to do.
 */
export function mergeKeys(
  document: MekDocument,
  other: MekDocument,
):
  | { readonly ok: true; readonly document: MekDocument; readonly added: readonly MekPlace[] }
  | { readonly ok: false; readonly problem: string } {
  const clashes: string[] = [];
  const added: MekPlace[] = [];
  const [keys, privateJwks] = setsOf(document, other).map(([set, mine, theirs]) => {
    const missing = theirs.filter((key) => !mine.some(({ kid }) => kid === key.kid));
    for (const key of theirs)
      if (!missing.includes(key) && !mine.some((own) => own.sameAs(key)))
        clashes.push(`${key.kid} in ${set}`);
    for (const { kid } of missing) added.push({ set, kid });
    return [...mine, ...missing];
  });
  if (clashes.length > 0)
    return refused(`The same kid has other bytes in the two documents: ${clashes.join(', ')}.`);
  return {
    ok: true,
    document: document.with({ ...(keys && { keys }), ...(privateJwks && { privateJwks }) }),
    added,
  };
}

/** `private_jwks[kid]` becomes the key that `from` has there: the repair of a key whose bytes were overwritten. */
export function replacePrivateKey(
  document: MekDocument,
  { kid, from }: { readonly kid: string; readonly from: MekDocument },
): MekChange {
  const right = from.privateKey(kid);
  if (right === undefined) return refused(`private_jwks of the earlier document has no kid ${kid}.`);
  if (document.privateKey(kid) === undefined) return refused(`private_jwks has no kid ${kid}.`);
  return changed(
    document.with({ privateJwks: document.privateJwks.map((key) => (key.kid === kid ? right : key)) }),
  );
}

/** One sentence for each key (kid and hash) of `before` that its own set of `after` lost or changed; empty: all kept. */
export function continuity(before: MekDocument, after: MekDocument): readonly string[] {
  return setsOf(before, after).flatMap(([set, earlier, later]) =>
    earlier.flatMap((key) => {
      const now = later.find(({ kid }) => kid === key.kid);
      if (now === undefined) return [`${set} lost the key ${key.kid} (${shortHash(key.hash)}).`];
      if (now.sameAs(key)) return [];
      return [
        `${set} has other bytes under the kid ${key.kid} (${shortHash(now.hash)}, before ${shortHash(key.hash)}).`,
      ];
    }),
  );
}

function setsOf(
  one: MekDocument,
  other: MekDocument,
): readonly (readonly [MekSetName, readonly MekKey[], readonly MekKey[]])[] {
  return [
    ['keys', one.keys, other.keys],
    ['private_jwks', one.privateJwks, other.privateJwks],
  ];
}

function changed(document: MekDocument): MekChange {
  return { ok: true, document };
}

function refused(problem: string): { readonly ok: false; readonly problem: string } {
  return { ok: false, problem };
}
