import type { RewrapProof } from '../../keys/nek-rewrap.ts';
import type { NewNek } from '../../keys/nek-row.ts';

/** The side file that names every row before it is written. */
export const ledgerName = 'rows';

/** A row that is about to be written for the first time. */
export interface LedgerRow {
  readonly row: NewNek;
  readonly proof: RewrapProof;
}

/** 'nvcf R3eG… 1798761600000 <sha256 of the JWE>', a line for each row. No key, no JWE. */
export function ledgerLines(rows: readonly LedgerRow[]): Uint8Array {
  let text = '';
  for (const { row, proof } of rows)
    text += `${encodeURIComponent(row.namespace)} ${row.kid} ${row.encryptedAt} ${proof.jweHash}\n`;
  return Buffer.from(text);
}

/** How many namespace keys a ledger names; a line that was cut off by a crash counts as none. */
export function countLedger(bytes: Uint8Array | undefined): number {
  const named = new Set<string>();
  const lines = Buffer.from(bytes ?? [])
    .toString()
    .split('\n');
  for (const line of lines.slice(0, -1)) named.add(line.split(' ', 2).join(' '));
  return named.size;
}
