import type { ReadContext } from '../../engine/step-type.ts';
import { apiKeysSession, onStore } from './session.ts';
import type { CassandraGroup, OpenBaoGroup } from './target.ts';

/** The tables of API Keys that have a column encrypted with a master key. */
export const tables = ['keys', 'keys_by_owner_and_service'] as const;
export const column = 'key_details';

export interface TableCount {
  readonly table: string;
  readonly rows: number;
  /** Rows whose column is no compact JWE with a kid. */
  readonly unparsable: number;
  readonly byKid: ReadonlyMap<string, number>;
}

/** How many rows of API Keys each master key is needed for, by the headers alone. */
export async function countApiKeys(
  ctx: ReadContext,
  groups: { readonly openbao: OpenBaoGroup; readonly apiKeys: CassandraGroup },
): Promise<readonly TableCount[]> {
  const session = await apiKeysSession(ctx, groups.openbao, groups.apiKeys);
  try {
    const counts: TableCount[] = [];
    for (const table of tables) {
      ctx.progress({ text: `counting the rows of ${table}` });
      const kids = await onStore(`read ${column} of ${table}`, () =>
        session.jweKids({ table, column }, ctx.signal),
      );
      const byKid = new Map<string, number>();
      let unparsable = 0;
      for (const { kid, rows } of kids)
        if (kid === null) unparsable += rows;
        else byKid.set(kid, (byKid.get(kid) ?? 0) + rows);
      const rows = kids.reduce((sum, item) => sum + item.rows, 0);
      counts.push({ table, rows, unparsable, byKid });
    }
    return counts;
  } finally {
    session.close();
  }
}

/** Rows of all tables that name this kid. */
export function rowsUnder(counts: readonly TableCount[], kid: string): number {
  return counts.reduce((sum, { byKid }) => sum + (byKid.get(kid) ?? 0), 0);
}

export function unparsableRows(counts: readonly TableCount[]): number {
  return counts.reduce((sum, { unparsable }) => sum + unparsable, 0);
}
