import type { MekDocument } from './mek-document.ts';
import type { RowReason, StoredNek } from './nek-row.ts';
import { newestEncryptedAt, selectRow } from './nek-selection.ts';

export interface CensusAnomaly {
  readonly namespace: string;
  readonly kid: string;
  /** Milliseconds since the epoch; undefined when it is the key or the namespace as a whole. */
  readonly encryptedAt: number | undefined;
  readonly reason: AnomalyReason;
}

export type AnomalyReason =
  | RowReason
  | 'no-usable-row'
  | 'mixed-rows'
  /** The newest row is more than `aheadLimit` in the future: microseconds taken for milliseconds, or a wrong clock. */
  | 'encrypted-at-ahead'
  /** The namespace names a current key that ESS cannot use: no row, or none but a rotation that waits. */
  | 'current-kid-unusable';

export interface CensusMek {
  /** Null: rows without `encrypted_by_kid`. */
  readonly kid: string | null;
  readonly rows: number;
  /** Keys whose selected row is under this MEK. */
  readonly selected: number;
  /** Rows that wait for promotion and are newer than the selected one. */
  readonly pending: number;
}

export interface Census {
  /** The MEK that everything should be under. */
  readonly kid: string;
  readonly namespaces: number;
  /** (namespace, kid) pairs. */
  readonly keys: number;
  readonly rows: number;
  /** Keys whose selected row is under `kid`. */
  readonly current: number;
  /** Keys whose selected row is under another MEK. */
  readonly remaining: number;
  /** Rows that wait for promotion and are newer than the selected one. */
  readonly pending: number;
  /** Namespaces without a `current_kid`: ESS makes them a new key at the next write. */
  readonly withoutCurrentKid: number;
  /** Most selected first, then by kid. */
  readonly byMek: readonly CensusMek[];
  /** The first 1,000. Rows older than the selected one are read by nobody and no anomaly, whatever they hold. */
  readonly anomalies: readonly CensusAnomaly[];
  readonly anomalyCount: number;
  /** Keys without a row that ESS would use and we can vouch for, other than rotations that wait for promotion. */
  readonly unusable: number;
  /** Nothing remains, nothing is damaged. */
  readonly clean: boolean;
}

export interface CensusFold {
  /**
   * Whole keys of one namespace, their rows in any order; `now` in milliseconds since the epoch. A namespace may come in several calls
   * that follow each other, so that nobody has to hold it as a whole.
   */
  add(rows: readonly StoredNek[], now: number): void;
  result(): Census;
}

/** Milliseconds by which a row may be ahead of now: clocks differ, but not more. */
export const aheadLimit = 60_000;
const anomaliesKept = 1000;

/** Counts what ESS would select, namespace by namespace; keeps no row and no key. */
export function createCensus(of: {
  readonly document: MekDocument;
  /** Of the MEK that everything should be under. */
  readonly kid: string;
}): CensusFold {
  return new Fold(of.document, of.kid);
}

/** 'waiting': no row, or none but a rotation that nobody promoted. */
type KeyState = 'usable' | 'unusable' | 'waiting';

class Fold implements CensusFold {
  readonly #document: MekDocument;
  readonly #kid: string;
  readonly #byMek = new Map<string | null, { rows: number; selected: number; pending: number }>();
  readonly #anomalies: CensusAnomaly[] = [];
  #open: { readonly namespace: string; readonly currentKid: string | null; current: KeyState } | undefined;
  readonly #counts = {
    namespaces: 0,
    keys: 0,
    rows: 0,
    current: 0,
    remaining: 0,
    pending: 0,
    withoutCurrentKid: 0,
    anomalyCount: 0,
    unusable: 0,
  };

  constructor(document: MekDocument, kid: string) {
    this.#document = document;
    this.#kid = kid;
  }

  add(rows: readonly StoredNek[], now: number): void {
    const [first] = rows;
    if (first === undefined) return;
    const { namespace, currentKid } = first;
    if (this.#open?.namespace !== namespace) {
      this.#closeNamespace();
      this.#counts.namespaces++;
      this.#open = { namespace, currentKid, current: 'waiting' };
    }
    for (const [kid, ofKid] of byKid(rows)) {
      const state = this.#addKey(ofKid, now);
      if (kid === this.#open.currentKid) this.#open.current = state;
    }
  }

  #closeNamespace(): void {
    if (this.#open === undefined) return;
    const { namespace, currentKid, current } = this.#open;
    this.#open = undefined;
    if (currentKid === null) this.#counts.withoutCurrentKid++;
    else if (current === 'waiting') {
      this.#counts.unusable++;
      this.#anomaly({ namespace, kid: currentKid, encryptedAt: undefined, reason: 'current-kid-unusable' });
    }
  }

  result(): Census {
    this.#closeNamespace();
    const { anomalyCount, remaining, unusable } = this.#counts;
    return {
      kid: this.#kid,
      ...this.#counts,
      byMek: [...this.#byMek]
        .map(([kid, counts]) => ({ kid, ...counts }))
        .sort(
          (one, other) => other.selected - one.selected || ((one.kid ?? '') < (other.kid ?? '') ? -1 : 1),
        ),
      anomalies: [...this.#anomalies],
      clean: remaining === 0 && anomalyCount === 0 && unusable === 0,
    };
  }

  #addKey(rows: readonly StoredNek[], now: number): KeyState {
    const [first] = rows;
    if (first === undefined) return 'waiting';
    const { namespace, kid } = first;
    this.#counts.keys++;
    this.#counts.rows += rows.length;
    for (const row of rows) this.#mek(row.encryptedByKid).rows++;
    const selection = selectRow(rows, this.#document);
    for (const row of selection.pending) {
      this.#counts.pending++;
      this.#mek(row.encryptedByKid).pending++;
    }
    for (const { encryptedAt, reason } of selection.damaged)
      this.#anomaly({ namespace, kid, encryptedAt, reason });
    const newest = newestEncryptedAt(rows);
    if (newest > now + aheadLimit)
      this.#anomaly({ namespace, kid, encryptedAt: newest, reason: 'encrypted-at-ahead' });
    if (selection.ok) {
      selection.nek.wipe();
      this.#mek(selection.mekKid).selected++;
      if (selection.mekKid === this.#kid) this.#counts.current++;
      else this.#counts.remaining++;
      return 'usable';
    }
    if (selection.reason === 'only-pending') return 'waiting';
    this.#counts.unusable++;
    if (selection.reason !== 'blocked')
      this.#anomaly({ namespace, kid, encryptedAt: undefined, reason: selection.reason });
    return 'unusable';
  }

  #mek(kid: string | null): { rows: number; selected: number; pending: number } {
    const known = this.#byMek.get(kid);
    if (known !== undefined) return known;
    const counts = { rows: 0, selected: 0, pending: 0 };
    this.#byMek.set(kid, counts);
    return counts;
  }

  #anomaly(anomaly: CensusAnomaly): void {
    this.#counts.anomalyCount++;
    if (this.#anomalies.length < anomaliesKept) this.#anomalies.push(anomaly);
  }
}

function byKid(rows: readonly StoredNek[]): ReadonlyMap<string, readonly StoredNek[]> {
  const groups = new Map<string, StoredNek[]>();
  for (const row of rows) {
    // A partition that has nothing but its static column comes as one row without a key.
    if (!row.kid && row.encryptedKey === null && row.status === null) continue;
    const group = groups.get(row.kid);
    if (group === undefined) groups.set(row.kid, [row]);
    else group.push(row);
  }
  return groups;
}
