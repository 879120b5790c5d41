import type { ReadContext } from '../../engine/step-type.ts';
import { StepError } from '../../engine/step-type.ts';
import type { NekReadSession, NekRow } from '../../services/nek-store.ts';
import { NekStoreError } from '../../services/nek-store.ts';
import { onStore } from '../mek/session.ts';
import { outOfTime } from '../out-of-time.ts';

/** Each page costs Cassandra as much as some hundred rows. About 1 MB. */
const pageSize = 1500;

/** All rows of one namespace key (NEK), newest first; never empty. */
export type NekRows = readonly NekRow[];

export interface NekPage {
  /** Whole keys: none of them goes on in the next page. */
  readonly neks: readonly NekRows[];
  /** Share of the token ring that has been read, 0 to 1. */
  readonly done: number;
}

/** Shows every row to `visit`, page by page. Throws unless all were read: a part proves nothing. */
export async function readNeks(
  ctx: ReadContext,
  session: NekReadSession,
  visit: (page: NekPage) => Promise<void> | void,
): Promise<void> {
  const late = () => outOfTime(ctx, 'The namespace keys could not all be read in time.');
  try {
    await onStore('read the namespace keys', async () => {
      for await (const page of nekPages(session, ctx.signal)) await visit(page);
    });
  } catch (error) {
    const cutOff = error instanceof StepError && error.cause instanceof NekStoreError;
    throw ctx.signal.aborted && cutOff ? late() : error;
  }
  if (ctx.signal.aborted) throw late();
}

/** The store's pages cut at the borders of namespace keys, so that one page is all that is held however many rows a namespace has. */
async function* nekPages(session: NekReadSession, signal: AbortSignal): AsyncGenerator<NekPage> {
  let open: NekRow[] = [];
  for await (const { rows, done } of session.scan({ pageSize }, signal)) {
    const neks: NekRows[] = [];
    for (const row of rows) {
      const [first] = open;
      if (first !== undefined && (first.kid !== row.kid || first.namespace !== row.namespace)) {
        neks.push(open);
        open = [];
      }
      open.push(row);
    }
    // Nothing follows the last page, so nothing of it has to wait.
    if (done === 1 && open.length > 0) {
      neks.push(open);
      open = [];
    }
    yield { neks, done };
  }
  if (open.length > 0) yield { neks: [open], done: 1 };
}
