import type { MekDocument } from './mek-document.ts';

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
export function appendKey(_document: MekDocument, _key: { readonly kid: string }): MekChange {
  throw new Error('not built');
}

/** The key to the front of both sets, and the two marks to its kid; what came before stays behind it. Also demotes, given the previous kid. */
export function activateKey(_document: MekDocument, _kid: string): MekChange {
  throw new Error('not built');
}

/** Takes `appendKey` back. Refuses the active key; that nothing was wrapped with it is the caller's to prove. */
export function withdrawKey(_document: MekDocument, _kid: string): MekChange {
  throw new Error('not built');
}

/** Takes a key out of both sets. Refuses the active key; that nothing needs it is the caller's to prove. */
export function retireKey(_document: MekDocument, _kid: string): MekChange {
  throw new Error('not built');
}

/**
 * Every (kid, bytes) of `other` that is missing in the same set of `document`, at the end of that set; order and marks stay.
 * Refuses when a kid has other bytes in the same set. `added` is empty when there was nothing to do.
 */
export function mergeKeys(
  _document: MekDocument,
  _other: MekDocument,
):
  | { readonly ok: true; readonly document: MekDocument; readonly added: readonly MekPlace[] }
  | { readonly ok: false; readonly problem: string } {
  throw new Error('not built');
}

/** `private_jwks[kid]` becomes the key that `from` has there: the repair of a key whose bytes were overwritten. */
export function replacePrivateKey(
  _document: MekDocument,
  _key: { readonly kid: string; readonly from: MekDocument },
): MekChange {
  throw new Error('not built');
}

/** One sentence for each key (kid and hash) of `before` that its own set of `after` lost or changed; empty: all kept. */
export function continuity(_before: MekDocument, _after: MekDocument): readonly string[] {
  throw new Error('not built');
}
