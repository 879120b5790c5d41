import { jweHash } from './hash.ts';
import type { MekDocument } from './mek-document.ts';
import type { AnomalyReason } from './nek-census.ts';
import { aheadLimit } from './nek-census.ts';
import { wrapNek } from './nek-jwe.ts';
import type { NewNek, StoredNek } from './nek-row.ts';
import { openRow } from './nek-row.ts';
import type { Selection } from './nek-selection.ts';
import { newestEncryptedAt, selectRow } from './nek-selection.ts';

/** What a row must be when it is read back. */
export interface RewrapProof {
  /** Of the NEK, before and after. */
  readonly thumbprint: string;
  /** `jweHash` of the row's `encryptedKey`. */
  readonly jweHash: string;
}

export type RewrapPlan =
  /** 'current': already under the target. 'only-pending': a rotation that nobody promoted yet. */
  | { readonly action: 'none'; readonly why: 'current' | 'only-pending' }
  /** Insert it, read it back, check it, insert it again as `VALIDATED`. */
  | { readonly action: 'rewrap'; readonly row: NewNek; readonly proof: RewrapProof }
  /** A verified row under the target that waits for promotion, ours or ESS's: insert the same row again as `VALIDATED`. */
  | { readonly action: 'finish'; readonly row: NewNek; readonly proof: RewrapProof }
  | {
      readonly action: 'anomaly';
      /** Of the row that it is about; undefined when it is the key as a whole. */
      readonly encryptedAt: number | undefined;
      readonly reason: AnomalyReason | 'mek-exhausted' | 'not-the-same-key';
    };

export interface RewrapHow {
  readonly document: MekDocument;
  /** Of the MEK to wrap with. */
  readonly kid: string;
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** What a new row says of when it was made, if no row of the key is newer: `now` unless told otherwise. */
  readonly dated?: number;
  /** Re-wrap from the row that ESS selects even though newer, damaged rows lie above it. Otherwise they are an anomaly. */
  readonly passOver?: boolean;
}

/**
 * What the rows of one (namespace, kid) need. `row` has the status `PENDING_REENCRYPTION`, an `encrypted_at` of
 * max(dated, newest of that kid + 1) ms and an unchanged `created_at`, and was opened again and compared before it is given out.
 */
export function planRewrap(rows: readonly StoredNek[], how: RewrapHow): RewrapPlan {
  const selection = selectRow(rows, how.document);
  try {
    return planFor(selection, rows, how);
  } finally {
    if (selection.ok) selection.nek.wipe();
  }
}

/** One sentence for each way in which a row read back is not the row that was written, or ESS would not use it; empty: proven. */
export function checkRewrapped(
  row: StoredNek | undefined,
  expected: { readonly document: MekDocument; readonly written: NewNek; readonly proof: RewrapProof },
): readonly string[] {
  if (row === undefined) return ['The row is not there.'];
  const { written, proof } = expected;
  const problems = columns
    .filter(([column]) => row[column] !== written[column])
    .map(([, name]) => `${name} is not what was written.`);
  if (row.encryptedKey === null || jweHash(row.encryptedKey) !== proof.jweHash)
    problems.push('encrypted_key is not what was written.');
  const opened = openRow(row, expected.document);
  if (!opened.ok) return [...problems, `ESS would not use the row: ${opened.reason}.`];
  opened.nek.wipe();
  if (opened.nek.thumbprint !== proof.thumbprint) problems.push('The row holds another key.');
  return problems;
}

const columns = [
  ['namespace', 'namespace'],
  ['kid', 'kid'],
  ['encryptedAt', 'encrypted_at'],
  ['createdAt', 'created_at'],
  ['encryptedByKid', 'encrypted_by_kid'],
  ['status', 'status'],
] as const satisfies readonly (readonly [keyof NewNek, string])[];

function planFor(selection: Selection, rows: readonly StoredNek[], how: RewrapHow): RewrapPlan {
  const newest = newestEncryptedAt(rows);
  if (newest > how.now + aheadLimit) return anomaly('encrypted-at-ahead', newest);
  const [damaged] = selection.damaged;
  if (!selection.ok) {
    if (selection.reason === 'only-pending') return { action: 'none', why: 'only-pending' };
    const blocking = selection.damaged.at(-1);
    return selection.reason !== 'blocked' || blocking === undefined
      ? anomaly(selection.reason === 'blocked' ? 'no-usable-row' : selection.reason)
      : anomaly(blocking.reason, blocking.encryptedAt);
  }
  if (damaged !== undefined && how.passOver !== true) return anomaly(damaged.reason, damaged.encryptedAt);
  // A damaged row above must be buried under a good one even when the selected row is under the target already.
  if (selection.mekKid === how.kid && damaged === undefined) return { action: 'none', why: 'current' };
  return finishPending(selection, how) ?? rewrap(selection, newest, how);
}

type Selected = Extract<Selection, { ok: true }>;

/** A row that an earlier pass, or ESS, inserted and nobody promoted, if it would now be the one that ESS selects. */
function finishPending({ nek, row, pending, damaged }: Selected, how: RewrapHow): RewrapPlan | undefined {
  for (const candidate of pending) {
    const { namespace, kid, encryptedAt, createdAt, encryptedByKid, encryptedKey, status } = candidate;
    if (
      status !== 'PENDING_REENCRYPTION' ||
      encryptedByKid !== how.kid ||
      encryptedKey === null ||
      createdAt === null ||
      createdAt !== row.createdAt ||
      encryptedAt < (damaged[0]?.encryptedAt ?? encryptedAt)
    )
      continue;
    const opened = openRow(candidate, how.document);
    if (!opened.ok) continue;
    const good = opened.bound && opened.nek.equals(nek);
    opened.nek.wipe();
    if (good)
      return {
        action: 'finish',
        row: { namespace, kid, encryptedAt, createdAt, encryptedByKid, encryptedKey, status },
        proof: { thumbprint: nek.thumbprint, jweHash: jweHash(encryptedKey) },
      };
  }
  return undefined;
}

function rewrap({ nek, row }: Selected, newest: number, how: RewrapHow): RewrapPlan {
  const { namespace, kid, createdAt } = row;
  if (createdAt === null) return anomaly('column-missing', row.encryptedAt);
  const encryptedAt = Math.max(Math.floor(how.dated ?? how.now), newest + 1);
  const wrapped = wrapNek(nek, { document: how.document, kid: how.kid, namespace, createdAt, encryptedAt });
  if (!wrapped.ok) return anomaly(wrapped.reason);
  const encryptedKey = wrapped.jwe;
  const status = 'PENDING_REENCRYPTION';
  const fresh: NewNek = {
    namespace,
    kid,
    encryptedAt,
    createdAt,
    encryptedByKid: how.kid,
    encryptedKey,
    status,
  };
  const opened = openRow({ ...fresh, currentKid: null }, how.document);
  if (!opened.ok) return anomaly(opened.reason, encryptedAt);
  const same = opened.nek.equals(nek);
  opened.nek.wipe();
  if (!same) return anomaly('not-the-same-key', encryptedAt);
  return {
    action: 'rewrap',
    row: fresh,
    proof: { thumbprint: nek.thumbprint, jweHash: jweHash(encryptedKey) },
  };
}

function anomaly(
  reason: Extract<RewrapPlan, { action: 'anomaly' }>['reason'],
  encryptedAt?: number,
): RewrapPlan {
  return { action: 'anomaly', encryptedAt, reason };
}
