import type { NekReadSession, NekRow } from '../../services/nek-store.ts';

/** All rows of one namespace key (NEK), newest first; never empty. */
export type NekRows = readonly NekRow[];

export interface NekPage {
  /** Whole keys: none of them goes on in the next page. */
  readonly neks: readonly NekRows[];
  /** Share of the token ring that has been read, 0 to 1. */
  readonly done: number;
}

/** The store's pages cut at the borders of namespace keys, so that one page is all that is held however many rows a namespace has. */
export async function* nekPages(
  session: NekReadSession,
  options: { readonly pageSize: number },
  signal: AbortSignal,
): AsyncGenerator<NekPage> {
  let open: NekRow[] = [];
  for await (const { rows, done } of session.scan(options, signal)) {
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
