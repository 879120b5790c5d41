import type { MekDocument } from './mek-document.ts';
import type { CensusAnomaly } from './nek-census.ts';
import type { NewNek, StoredNek } from './nek-row.ts';

/** What a row must be when it is read back. */
export interface RewrapProof {
  /** Of the NEK, before and after. */
  readonly thumbprint: string;
  /** `jweHash` of the row's `encryptedKey`. */
  readonly jweHash: string;
}

export type RewrapPlan =
  /** 'current': already under the target. 'only-pending': a rotation that nobody promoted. */
  | { readonly action: 'none'; readonly why: 'current' | 'only-pending' }
  /** Insert it, read it back, check it, insert it again as `VALIDATED`. */
  | { readonly action: 'rewrap'; readonly row: NewNek; readonly proof: RewrapProof }
  /** A verified row under the target that waits for promotion, ours or ESS's: insert the same row again as `VALIDATED`. */
  | { readonly action: 'finish'; readonly row: NewNek; readonly proof: RewrapProof }
  | {
      readonly action: 'anomaly';
      readonly encryptedAt: number | undefined;
      readonly reason: CensusAnomaly['reason'] | 'mek-missing' | 'mek-exhausted' | 'not-the-same-key';
    };

/**
 * What the rows of one (namespace, kid) need. `row` has the status `PENDING_REENCRYPTION`, an `encrypted_at` of
 * max(now, newest of that kid + 1) ms and an unchanged `created_at`, and was opened again and compared before it is given out.
 */
export function planRewrap(
  _rows: readonly StoredNek[],
  _how: {
    readonly document: MekDocument;
    /** Of the MEK to wrap with. */
    readonly kid: string;
    /** Milliseconds since the epoch. */
    readonly now: number;
    /** Re-wrap from the row that ESS selects even though newer, damaged rows lie above it. Otherwise they are an anomaly. */
    readonly passOver?: boolean;
  },
): RewrapPlan {
  throw new Error('not built');
}

/** One sentence for each way in which a row read back is not the row that was written, or ESS would not use it; empty: proven. */
export function checkRewrapped(
  _row: StoredNek | undefined,
  _expected: { readonly document: MekDocument; readonly written: NewNek; readonly proof: RewrapProof },
): readonly string[] {
  throw new Error('not built');
}
