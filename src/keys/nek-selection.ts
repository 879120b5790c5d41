import type { MekDocument } from './mek-document.ts';
import type { Nek } from './nek.ts';
import type { RowReason, StoredNek } from './nek-row.ts';
import { rowVerdict } from './nek-row.ts';

export interface DamagedRow {
  readonly encryptedAt: number;
  readonly reason: RowReason;
}

/** What lies above the selected row, or above the row at which nothing can be selected any more; newest first. */
interface Above {
  readonly damaged: readonly DamagedRow[];
  /** Rows that wait for promotion. */
  readonly pending: readonly StoredNek[];
}

/** What ESS would read for one (namespace, kid). */
export type Selection =
  | (Above & {
      readonly ok: true;
      readonly row: StoredNek;
      /** `wipe()` it after use. */
      readonly nek: Nek;
      /** Kid of the MEK that wraps the selected row. */
      readonly mekKid: string;
    })
  | (Above & { readonly ok: false; readonly reason: SelectionReason });

/**
 * 'blocked': the last of `damaged` is fatal or foreign, so that ESS fails or uses what we cannot vouch for.
 * 'no-usable-row': every row with a readable status is passed over.
 * 'only-pending': the key of a rotation that nobody promoted yet; no damage.
 * 'mixed-rows': rows of several keys were given.
 */
export type SelectionReason = 'blocked' | 'no-usable-row' | 'only-pending' | 'mixed-rows';

/** ESS's own rule: the newest row with a readable status that passes the checks. The rows of one kid, in any order. */
export function selectRow(rows: readonly StoredNek[], document: MekDocument): Selection {
  const damaged: DamagedRow[] = [];
  const pending: StoredNek[] = [];
  const [first] = rows;
  if (rows.some(({ namespace, kid }) => namespace !== first?.namespace || kid !== first.kid))
    return { ok: false, reason: 'mixed-rows', damaged, pending };
  for (const row of rows.length < 2 ? rows : newestFirst(rows)) {
    const verdict = rowVerdict(row, document);
    if (verdict.state === 'usable')
      return { ok: true, row, nek: verdict.nek, mekKid: verdict.mekKid, damaged, pending };
    if (verdict.state === 'pending') pending.push(row);
    else {
      damaged.push({ encryptedAt: row.encryptedAt, reason: verdict.reason });
      if (verdict.state !== 'skipped') return { ok: false, reason: 'blocked', damaged, pending };
    }
  }
  const onlyRotation = damaged.length === 0 && pending.some(({ status }) => status === 'PENDING_ROTATION');
  return { ok: false, reason: onlyRotation ? 'only-pending' : 'no-usable-row', damaged, pending };
}

/** Milliseconds of the newest row, whatever its status; -Infinity without rows. */
export function newestEncryptedAt(rows: readonly StoredNek[]): number {
  return rows.reduce((newest, { encryptedAt }) => Math.max(newest, encryptedAt), Number.NEGATIVE_INFINITY);
}

function newestFirst(rows: readonly StoredNek[]): readonly StoredNek[] {
  return [...rows].sort((one, other) => other.encryptedAt - one.encryptedAt);
}
