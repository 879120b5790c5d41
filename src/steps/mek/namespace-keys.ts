import type { ReadContext } from '../../engine/step-type.ts';
import { parseJweHeader } from '../../keys/nek-jwe.ts';
import type { NekReadSession, NekRow } from '../../services/nek-store.ts';
import { cassandraSession, onStore } from './session.ts';
import type { CassandraGroup, OpenBaoGroup } from './target.ts';

const pageSize = 500;

/** Reads all rows of ESS, namespace by namespace, and stops early when `see` answers true. */
export async function eachNamespace(
  ctx: ReadContext,
  groups: { readonly openbao: OpenBaoGroup; readonly cassandra: CassandraGroup },
  see: (rows: readonly NekRow[]) => boolean | undefined,
): Promise<void> {
  const session: NekReadSession = await cassandraSession(ctx, groups.openbao, groups.cassandra);
  try {
    await onStore('read the namespace keys', () => scan(ctx, session, see));
  } finally {
    session.close();
  }
}

async function scan(
  ctx: ReadContext,
  session: NekReadSession,
  see: (rows: readonly NekRow[]) => boolean | undefined,
): Promise<void> {
  let open: NekRow[] = [];
  for await (const { rows, done } of session.scan({ pageSize }, ctx.signal)) {
    for (const row of rows) {
      if (open[0] !== undefined && open[0].namespace !== row.namespace) {
        if (see(open) === true) return;
        open = [];
      }
      open.push(row);
    }
    ctx.progress({ text: `${Math.floor(done * 100)} % of the namespace keys read` });
  }
  if (open.length > 0) see(open);
}

/** Whether a row, in whatever status, says that it is wrapped with this master key. */
export function names({ encryptedByKid, encryptedKey }: NekRow, kid: string): boolean {
  if (encryptedByKid === kid) return true;
  const parsed = encryptedKey === null ? undefined : parseJweHeader(encryptedKey);
  return parsed?.ok === true && parsed.header.kid === kid;
}
