import type { NekRow } from '../../services/nek-store.ts';
import { headerOf, openDirect, thumbprint } from '../crypto/jwe.ts';
import type { KeySet } from './state.ts';

/** Labels of `nek_validation_errors_total`. */
export type RowProblem =
  | 'JWE_PARSE_ERROR'
  | 'ENCRYPTING_KEY_UNAVAILABLE'
  | 'KEY_DECRYPTION_ERROR'
  | 'INTEGRITY_CHECKS_ERROR';

export type Verdict =
  | { readonly state: 'usable'; readonly text: string }
  | { readonly state: 'skipped'; readonly problem?: RowProblem }
  /** What makes ESS give up on the whole key, whatever older rows there are. */
  | { readonly state: 'fatal'; readonly why: string };

const VALID = ['VALIDATED', 'CREATION_VALIDATED'];

/** The key of a row as ESS unwraps and checks it, whatever its status. */
export function unwrapRow(row: NekRow, keys: KeySet): Verdict {
  const { encryptedKey, createdAt, encryptedByKid } = row;
  if (encryptedKey === null || createdAt === null || encryptedByKid === null)
    return { state: 'fatal', why: 'a column of the row is null' };
  const header = headerOf(encryptedKey);
  if (header === undefined) return { state: 'skipped', problem: 'JWE_PARSE_ERROR' };
  if (header.alg === 'none' || header.enc === undefined)
    return { state: 'fatal', why: 'the header of the JWE is not one of an encrypted key' };
  const mek = keys.keys.get(String(header.kid));
  if (mek === undefined) return { state: 'skipped', problem: 'ENCRYPTING_KEY_UNAVAILABLE' };
  const direct = header.alg === 'dir' && header.enc === 'A256GCM';
  const text = direct ? openDirect(encryptedKey, mek) : undefined;
  if (text === undefined) return { state: 'skipped', problem: 'KEY_DECRYPTION_ERROR' };
  const bound =
    header.namespace === row.namespace &&
    header.createdAt === createdAt &&
    header.encryptedAt === row.encryptedAt &&
    header.kid === encryptedByKid &&
    thumbprint(text) === row.kid;
  // Rows from before the checks have no version, and nothing of them is compared.
  if (header.version !== undefined && !bound) return { state: 'skipped', problem: 'INTEGRITY_CHECKS_ERROR' };
  return { state: 'usable', text };
}

export type Selection =
  | { readonly ok: true; readonly row: NekRow; readonly text: string }
  | { readonly ok: false; readonly why: string };

/** The row of a key that ESS uses: the newest that is valid, passes every check and has none before it that makes ESS give up. */
export function selectRow(
  rows: readonly NekRow[],
  keys: KeySet,
  onProblem: (row: NekRow, problem: RowProblem) => void = () => undefined,
): Selection {
  for (const row of rows) {
    if (row.status === null) return { ok: false, why: 'the status of the row is null' };
    if (!VALID.includes(row.status)) continue;
    const verdict = unwrapRow(row, keys);
    if (verdict.state === 'usable') return { ok: true, row, text: verdict.text };
    if (verdict.state === 'fatal') return { ok: false, why: verdict.why };
    if (verdict.problem !== undefined) onProblem(row, verdict.problem);
  }
  return { ok: false, why: 'no row of the key is valid' };
}
