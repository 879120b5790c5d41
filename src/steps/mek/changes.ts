import type { DiffLine } from '../../engine/step-type.ts';
import { shortHash } from '../../keys/hash.ts';
import type { MekPlace, MekSetName } from '../../keys/mek-change.ts';
import type { MekDocument } from '../../keys/mek-document.ts';
import type { MekKey } from '../../keys/mek-key.ts';

type Named = Pick<MekKey, 'kid' | 'hash'>;

/** What can be said of a document without its keys; a `MekDocument` is one. */
export interface MekOutline {
  readonly keys: readonly Named[];
  readonly privateJwks: readonly Named[];
  readonly currentKid: string;
  readonly jweMappingKid: string;
}

/** A key that its own set has no more, or with other bytes. */
export interface LostKey extends MekPlace {
  readonly hash: string;
  /** Hash of the bytes that have its kid now. */
  readonly now: string | undefined;
}

/** What may be journaled of a document. */
export function outlineOf(document: MekDocument): MekOutline {
  const named = ({ kid, hash }: MekKey): Named => ({ kid, hash });
  return {
    keys: document.keys.map(named),
    privateJwks: document.privateJwks.map(named),
    currentKid: document.currentKid,
    jweMappingKid: document.jweMappingKid,
  };
}

export function setsOf(outline: MekOutline): readonly (readonly [MekSetName, readonly Named[]])[] {
  return [
    ['keys', outline.keys],
    ['private_jwks', outline.privateJwks],
  ];
}

export function hashIn(outline: MekOutline, set: MekSetName, kid: string): string | undefined {
  const keys = set === 'keys' ? outline.keys : outline.privateJwks;
  return keys.find((key) => key.kid === kid)?.hash;
}

/** The sets that have a key with this kid. */
export function setsWith(outline: MekOutline, kid: string): readonly MekSetName[] {
  return setsOf(outline).flatMap(([set, keys]) => (keys.some((key) => key.kid === kid) ? [set] : []));
}

/** The active key as every service sees it: first in `keys` for ESS, `current_kid` for the others. */
export function isActive(outline: MekOutline, kid: string): boolean {
  return outline.currentKid === kid && outline.keys[0]?.kid === kid && outline.jweMappingKid === kid;
}

export function lostKeys(before: MekOutline, after: MekOutline): readonly LostKey[] {
  return setsOf(before).flatMap(([set, keys]) =>
    keys.flatMap(({ kid, hash }) => {
      const now = hashIn(after, set, kid);
      return now === hash ? [] : [{ set, kid, hash, now }];
    }),
  );
}

/** Same keys in the same order, and the same marks. */
export function sameOutline(one: MekOutline, other: MekOutline): boolean {
  const order = (outline: MekOutline) =>
    setsOf(outline).map(([, keys]) => keys.map(({ kid, hash }) => `${kid} ${hash}`));
  return (
    one.currentKid === other.currentKid &&
    one.jweMappingKid === other.jweMappingKid &&
    JSON.stringify(order(one)) === JSON.stringify(order(other))
  );
}

export function sayLost({ set, kid, hash, now }: LostKey): string {
  const was = `${set} key ${kid} (${shortHash(hash)})`;
  return now === undefined ? `${was} is missing` : `${was} has other bytes (${shortHash(now)})`;
}

/** What became of a document, by kids. */
export function changeSentences(before: MekOutline, after: MekOutline): readonly string[] {
  const added = setsOf(after).flatMap(([set, keys]) =>
    keys
      .filter(({ kid }) => hashIn(before, set, kid) === undefined)
      .map(({ kid, hash }) => `${set} key ${kid} (${shortHash(hash)}) is new`),
  );
  const marks = [
    ['current_kid', before.currentKid, after.currentKid],
    ['jwe_mapping', before.jweMappingKid, after.jweMappingKid],
    ['the first key', before.keys[0]?.kid, after.keys[0]?.kid],
  ].flatMap(([what, was, is]) => (was === is ? [] : [`${what} is ${is}, was ${was}`]));
  return [...added, ...lostKeys(before, after).map(sayLost), ...marks];
}

/** A change key by key, for a plan. */
export function diffLines(before: MekOutline, after: MekOutline): readonly DiffLine[] {
  const sets = setsOf(after).flatMap(([set, keys]) => {
    const was = set === 'keys' ? before.keys : before.privateJwks;
    return setDiff(set, was, keys);
  });
  const marks: readonly (readonly [string, string, string])[] = [
    ['current_kid', before.currentKid, after.currentKid],
    ['jwe_mapping.payload_jwe_kid', before.jweMappingKid, after.jweMappingKid],
  ];
  return [
    ...sets,
    ...marks
      .filter(([, was, is]) => was !== is)
      .map(([path, was, is]): DiffLine => ({ path, before: was, after: is })),
  ];
}

function setDiff(set: MekSetName, before: readonly Named[], after: readonly Named[]): readonly DiffLine[] {
  const kids = new Set(after.map(({ kid }) => kid));
  const gone = before.flatMap((key, index): readonly DiffLine[] =>
    kids.has(key.kid) ? [] : [{ path: `${set}[${index}]`, before: sayKey(key) }],
  );
  const left = before.filter(({ kid }) => kids.has(kid));
  const moved = after.flatMap((key, index): readonly DiffLine[] => {
    const was = left[index];
    if (was !== undefined && was.kid === key.kid && was.hash === key.hash) return [];
    const line = { path: `${set}[${index}]`, after: sayKey(key) };
    return [was === undefined ? line : { ...line, before: sayKey(was) }];
  });
  return [...gone, ...moved];
}

function sayKey({ kid, hash }: Named): string {
  return `kid ${kid} (${shortHash(hash)})`;
}
