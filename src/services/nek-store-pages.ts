import type { Clock } from './clock.ts';
import { askAgain } from './nek-store-again.ts';
import { statementLimit, type types } from './nek-store-library.ts';
import type { Call, Connected, Link } from './nek-store-link.ts';
import { splitRing } from './nek-store-ring.ts';

export interface Query {
  readonly cql: string;
  readonly params: readonly unknown[];
  readonly pageSize: number;
}

export interface Page {
  readonly rows: readonly types.Row[];
  /** Share of the whole that has been read with this page. */
  readonly done: number;
}

export interface Asker {
  readonly call: Link['call'];
  readonly what: Call;
  readonly clock: Clock;
}

/** Parts of the ring, told one after the other: enough to tell how far a scan is. */
const parts = 32;
/** Ranges that are read at the same time. */
const lanes = 3;

/** Every row of a query. */
export async function readAll(
  asker: Asker,
  query: Query,
  signal: AbortSignal,
): Promise<readonly types.Row[]> {
  const rows: types.Row[] = [];
  for await (const page of pages(asker, query, signal)) rows.push(...page.rows);
  return rows;
}

/** A query page by page; one page is fetched while its reader works on the one before, and no more. */
export function pagesOf(asker: Asker, query: Query, signal: AbortSignal): AsyncGenerator<Page> {
  const source = pages(asker, query, signal);
  return ahead(source, () => source.next());
}

/**
 * A query over a range of tokens, from the lowest to the highest, page by page. The first pages of the next ranges are
 * fetched meanwhile: nodes work side by side, and no more than a few pages are held.
 */
export async function* scanRing(
  asker: Asker,
  query: Omit<Query, 'params'>,
  signal: AbortSignal,
): AsyncGenerator<Page> {
  const begun: AsyncGenerator<Page>[] = [];
  const ranges = splitRing(parts);
  try {
    for (let index = 0; index < parts; index++) {
      for (const { after, upTo } of ranges.slice(index + begun.length, index + lanes)) {
        begun.push(begin(pages(asker, { ...query, params: [String(after), String(upTo)] }, signal)));
      }
      const lane = begun.shift();
      if (lane === undefined) return;
      for await (const { rows, done } of lane) yield { rows, done: (index + done) / parts };
    }
  } finally {
    for (const lane of begun) await lane.return(undefined);
  }
}

/** Each page tells 0, the last one 1: nobody knows how many there will be. */
async function* pages(asker: Asker, query: Query, signal: AbortSignal): AsyncGenerator<Page> {
  let state: string | undefined;
  do {
    const options = {
      prepare: true,
      isIdempotent: true,
      readTimeout: statementLimit,
      fetchSize: query.pageSize,
      ...(state === undefined ? {} : { pageState: state }),
    };
    const ask = () =>
      asker.call(asker.what, signal, ({ client }: Connected) =>
        client.execute(query.cql, [...query.params], options),
      );
    // All pages before one that fails would be lost.
    const result = await askAgain(ask, asker.clock, signal);
    state = result.pageState ?? undefined;
    yield { rows: result.rows, done: state === undefined ? 1 : 0 };
  } while (state !== undefined);
}

/** Asks for the next item before the present one is handed out. */
async function* ahead<T>(
  source: AsyncGenerator<T>,
  first: () => Promise<IteratorResult<T>>,
): AsyncGenerator<T> {
  let next = first();
  try {
    for (;;) {
      const { value, done } = await next;
      if (done === true) return;
      next = source.next();
      // Its failure is told when it is asked for; a reader that stops never asks.
      next.catch(() => undefined);
      yield value;
    }
  } finally {
    await source.return(undefined).catch(() => undefined);
  }
}

/** Asks for the first item at once, and for no other before the first is wanted. */
function begin<T>(source: AsyncGenerator<T>): AsyncGenerator<T> {
  const first = source.next();
  first.catch(() => undefined);
  return ahead(source, () => first);
}
