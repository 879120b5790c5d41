import type { MekDocument } from './mek-document.ts';
import type { Nek } from './nek.ts';
import type { RowReason, StoredNek } from './nek-row.ts';

export interface DamagedRow {
  readonly encryptedAt: number;
  readonly reason: RowReason;
}

/** What ESS would read for one (namespace, kid). `above`: damaged rows that are newer than the selected one, newest first. */
export type Selection =
  | {
      readonly ok: true;
      readonly row: StoredNek;
      readonly nek: Nek;
      /** Kid of the MEK that wraps the selected row. */
      readonly mekKid: string;
      readonly above: readonly DamagedRow[];
      /** Rows that wait for promotion and are newer than the selected one, newest first. */
      readonly pending: readonly StoredNek[];
    }
  | {
      readonly ok: false;
      /** 'only-pending': the key of a rotation that nobody promoted yet, no damage. */
      readonly reason: 'only-pending' | 'no-usable-row' | 'no-row' | 'mixed-rows' | RowReason;
      readonly above: readonly DamagedRow[];
      readonly pending: readonly StoredNek[];
    };

/** ESS's own rule: the newest row with a readable status that passes the checks. The rows of one kid, in any order. */
export function selectRow(_rows: readonly StoredNek[], _document: MekDocument): Selection {
  throw new Error('not built');
}
