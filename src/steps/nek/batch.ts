import type { ReadContext } from '../../engine/step-type.ts';
import { StepError } from '../../engine/step-type.ts';
import type { MekDocument } from '../../keys/mek-document.ts';
import type { RewrapProof } from '../../keys/nek-rewrap.ts';
import { checkRewrapped } from '../../keys/nek-rewrap.ts';
import type { NewNek } from '../../keys/nek-row.ts';
import type { NekRow, NekRowKey, NekSession, NewNekRow } from '../../services/nek-store.ts';
import { NekStoreError } from '../../services/nek-store.ts';
import { storeError } from '../mek/session.ts';
import { outOfTime } from '../out-of-time.ts';
import type { Pace } from './pace.ts';

// Enough for a node to restart; what is not there by then is planned anew by the next pass.
const attempts = 8;

/** A row that is to be in use in the end. */
export interface Item {
  /** As it waits for its promotion. */
  readonly row: NewNek;
  readonly proof: RewrapProof;
  /** It is ours and not written yet; otherwise it was found. */
  readonly fresh: boolean;
}

export interface Writer {
  readonly ctx: ReadContext;
  readonly session: NekSession;
  readonly document: MekDocument;
  readonly pace: Pace;
}

type Found = ReadonlyMap<string, NekRow>;

/**
 * Brings rows of one namespace into use: inserts them where ESS does not look, reads them back, proves them, and inserts the identical
 * rows as `VALIDATED`. Whoever writes the same rows at the same time does the same. Gives the items that this promoted; the others are
 * as they were or somebody else's work, and the next pass sees which. It reads every promoted row again, too.
 */
export async function writeBatch(writer: Writer, items: readonly Item[]): Promise<readonly Item[]> {
  const proven = prove(writer, items, await insertPending(writer, items));
  return await promote(writer, proven);
}

async function insertPending(writer: Writer, items: readonly Item[]): Promise<Found> {
  let missing = items.filter(({ fresh }) => fresh);
  for (let attempt = 0; ; attempt++) {
    if (missing.length > 0)
      await insert(
        writer,
        missing.map(({ row }) => row),
      );
    const found = await readBack(writer, items);
    missing = missing.filter(({ row }) => !found.has(idOf(row)));
    if (missing.length === 0 || attempt === attempts) return found;
    await writer.pace.rest(attempt, writer.ctx.signal);
  }
}

/** Items whose stored row is exactly what it should be and waits for its promotion. */
function prove(writer: Writer, items: readonly Item[], found: Found): readonly Item[] {
  const { document } = writer;
  return items.filter(({ row, proof }) => {
    const stored = found.get(idOf(row));
    // Another's row under the same key, an early promotion or a lost write: not to be touched before it is looked at anew.
    if (stored === undefined || stored.status !== row.status || !isSame(stored, row)) return false;
    const problems = checkRewrapped(stored, { document, written: row, proof });
    if (problems.length === 0) return true;
    throw new StepError(
      'nek-unproven',
      `The new row of ${row.namespace} ${row.kid} was stored as it was written, and yet it is not good.`,
      {
        details: problems,
        hint: 'It was not promoted, so ESS does not use it. Do not go on before it is understood.',
      },
    );
  });
}

async function promote(writer: Writer, items: readonly Item[]): Promise<readonly Item[]> {
  const promoted: Item[] = [];
  let open = items;
  let timestamp: number | undefined;
  for (let attempt = 0; open.length > 0; attempt++) {
    const rows = open.map(({ row }): NewNekRow => ({ ...row, status: 'VALIDATED' }));
    const acknowledged = await insert(writer, rows, timestamp);
    if (acknowledged && attempt === 0) {
      // A quorum has it. Where a later clock's status beats it all the same, the next pass finds the row waiting.
      promoted.push(...open.filter(({ fresh }) => fresh));
      open = open.filter(({ fresh }) => !fresh);
      if (open.length === 0) break;
    }
    const found = await readBack(writer, open);
    const waiting: Item[] = [];
    for (const item of open) {
      const stored = found.get(idOf(item.row));
      if (stored === undefined || !isSame(stored, item.row)) continue;
      if (stored.status === 'VALIDATED') promoted.push(item);
      else if (stored.status === item.row.status) waiting.push(item);
    }
    open = waiting;
    if (open.length === 0 || attempt === attempts) break;
    await writer.pace.rest(attempt, writer.ctx.signal);
    timestamp = await afterStatus(writer, open);
  }
  return promoted;
}

/** A write timestamp that beats the statuses there are: those of a clock that is ahead of the one that wrote the promotion. */
async function afterStatus(writer: Writer, items: readonly Item[]): Promise<number | undefined> {
  let newest: number | undefined;
  for (const { row } of items) {
    const time = await read(writer, () => writer.session.statusWriteTime(row, writer.ctx.signal));
    if (time !== undefined) newest = Math.max(newest ?? 0, time);
  }
  return newest === undefined ? undefined : newest + 1;
}

/** Whether a quorum has acknowledged the rows. False: they may have been written, only reading back tells. */
async function insert(writer: Writer, rows: readonly NewNekRow[], timestamp?: number): Promise<boolean> {
  const { ctx, session, pace } = writer;
  for (let attempt = 0; ; attempt++) {
    requireTime(ctx);
    try {
      await session.insert(rows, timestamp === undefined ? {} : { timestamp }, ctx.signal);
      pace.wentWell(rows.length);
      return true;
    } catch (error) {
      requireTime(ctx);
      if (!(error instanceof NekStoreError)) throw error;
      if (error.outcome === 'not-applied' && !error.retryable)
        throw storeError('write namespace keys', error);
      pace.trouble();
      if (error.outcome === 'unknown') return false;
      await pause(writer, attempt, error);
    }
  }
}

async function readBack(writer: Writer, items: readonly Item[]): Promise<Found> {
  const keys = items.map(({ row: { namespace, kid, encryptedAt } }) => ({ namespace, kid, encryptedAt }));
  const rows = await read(writer, () => writer.session.rows(keys, writer.ctx.signal));
  return new Map(rows.map((row) => [idOf(row), row]));
}

/** Asks again for as long as there is time: without an answer there is nothing that could be done. */
async function read<T>(writer: Writer, ask: () => Promise<T>): Promise<T> {
  for (let attempt = 0; ; attempt++) {
    requireTime(writer.ctx);
    try {
      return await ask();
    } catch (error) {
      requireTime(writer.ctx);
      if (!(error instanceof NekStoreError) || !error.retryable)
        throw storeError('read back namespace keys', error);
      writer.pace.trouble();
      await pause(writer, attempt, error);
    }
  }
}

async function pause({ ctx, pace }: Writer, attempt: number, error: NekStoreError): Promise<void> {
  ctx.progress({ text: `waiting for Cassandra: ${error.message}` });
  await pace.rest(attempt, ctx.signal);
}

function requireTime(ctx: ReadContext): void {
  if (!ctx.signal.aborted) return;
  throw outOfTime(ctx, 'The re-encryption was stopped before its end.', {
    hint: 'What was written stays and is good. Resume the run, or give it more time.',
  });
}

function isSame(stored: NekRow, { createdAt, encryptedByKid, encryptedKey }: NewNek): boolean {
  return (
    stored.encryptedKey === encryptedKey &&
    stored.encryptedByKid === encryptedByKid &&
    stored.createdAt === createdAt
  );
}

function idOf({ kid, encryptedAt }: NekRowKey): string {
  return `${encryptedAt} ${kid}`;
}
