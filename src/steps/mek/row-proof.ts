import type { ReadContext } from '../../engine/step-type.ts';
import { StepError } from '../../engine/step-type.ts';
import { opensApiKeyDetails } from '../../keys/api-key-jwe.ts';
import type { MekDocument } from '../../keys/mek-document.ts';
import type { NekReadSession } from '../../services/nek-store.ts';
import { column, tables } from './api-keys-rows.ts';
import { apiKeysSession, onStore } from './session.ts';
import type { CassandraGroup, OpenBaoGroup } from './target.ts';

interface Count {
  rows: number;
  right: number;
  present: number;
}

/**
 * Opens every row of API Keys under these kids with both sets of bytes. Gives how many there are when every one opens with the
 * right bytes and none with the present ones; refuses otherwise.
 */
export async function proveRows(
  ctx: ReadContext,
  groups: { readonly openbao: OpenBaoGroup; readonly apiKeys: CassandraGroup },
  about: { readonly kids: readonly string[]; readonly right: MekDocument; readonly present: MekDocument },
): Promise<number> {
  if (about.kids.length === 0) return 0;
  const session: NekReadSession = await apiKeysSession(ctx, groups.openbao, groups.apiKeys);
  const details: string[] = [];
  let proven = 0;
  try {
    for (const kid of about.kids) {
      const { rows, right, present } = await count(ctx, session, { ...about, kid });
      if (right === rows && present === 0) proven += rows;
      else
        details.push(
          `${kid}: of ${rows} rows ${right} open with the earlier bytes, ${present} with the present ones`,
        );
    }
  } finally {
    session.close();
  }
  if (details.length === 0) return proven;
  throw new StepError(
    'repair-refused',
    'The earlier bytes are not proven to be the right ones for every row of API Keys: nothing was changed.',
    {
      outcome: 'not-applied',
      details,
      hint: 'Rows that were written with the present bytes need them: a human must decide. Both versions are kept in OpenBao.',
    },
  );
}

async function count(
  ctx: ReadContext,
  session: NekReadSession,
  about: { readonly kid: string; readonly right: MekDocument; readonly present: MekDocument },
): Promise<Count> {
  const total: Count = { rows: 0, right: 0, present: 0 };
  for (const table of tables)
    await onStore(`read ${column} of ${table}`, async () => {
      for await (const page of session.jwes({ table, column, kid: about.kid }, ctx.signal)) {
        for (const jwe of page) {
          total.rows += 1;
          if (opensApiKeyDetails(jwe, about.right.privateJwks).ok) total.right += 1;
          if (opensApiKeyDetails(jwe, about.present.privateJwks).ok) total.present += 1;
        }
        ctx.progress({ text: `${total.rows} rows under ${about.kid} opened` });
      }
    });
  return total;
}
