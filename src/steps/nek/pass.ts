import type { RunContext } from '../../engine/step-type.ts';
import { planRewrap } from '../../keys/nek-rewrap.ts';
import type { NekSession } from '../../services/nek-store.ts';
import { type Item, type Writer, writeBatch } from './batch.ts';
import { datedBefore } from './dating.ts';
import { type Anomaly, anomaliesFound } from './health.ts';
import { createLanes, type Lanes } from './lanes.ts';
import { ledgerLines, ledgerName } from './ledger.ts';
import type { NekWorld } from './open.ts';
import { createThrottle, type Pace } from './pace.ts';
import { type NekRows, readNeks } from './scan.ts';

/** Namespace keys that are planned together, named in one durable append, and then written. */
const largestChunk = 256;
/** What a batch costs beside its rows is as much as some rows. */
const leastWeight = 8;

export interface PassOptions {
  readonly batch: number;
  readonly rowsPerSecond: number | undefined;
  /** Milliseconds that the server's clock is ahead of ours. */
  readonly ahead: number;
  readonly pace: Pace;
}

/** Counts of a pass, and of all passes; they grow while it goes on. */
export interface Tally {
  keys: number;
  rows: number;
  /** Keys that were not under the master key when the pass came to them. */
  touched: number;
  rewrapped: number;
  finished: number;
}

/**
 * Reads every row once and brings each key under the master key that is not there yet. Stops before further writes at the first page
 * with something that looks wrong. `onChunk` is called between writes.
 */
export async function pass(
  ctx: RunContext,
  world: NekWorld<NekSession>,
  options: PassOptions & { readonly tally: Tally; onChunk(): Promise<void> },
): Promise<void> {
  const { pace, tally, rowsPerSecond } = options;
  const lanes = createLanes(() => pace.inFlight);
  const throttle = createThrottle(ctx.services.clock, rowsPerSecond);
  const writer: Writer = { ctx, session: world.session, document: world.document, pace };
  // Wrapped keys wait for their turn no longer than a second, so that few newer rows come before them.
  const size = Math.max(1, Math.min(largestChunk, rowsPerSecond ?? largestChunk));
  try {
    await readNeks(ctx, world.session, async ({ neks }) => {
      for (const chunk of chunksOf(neks, size)) {
        const items = plan(ctx, world, { neks: chunk, ...options });
        if (items.length > 0) {
          await throttle.take(items.length, ctx.signal);
          const fresh = items.filter((item) => item.fresh);
          if (fresh.length > 0) await ctx.keep(ledgerName, ledgerLines(fresh));
          await write(lanes, writer, { items, batch: options.batch, tally });
        }
        await options.onChunk();
      }
    });
  } catch (error) {
    // What is in flight comes to its end; the first failure is the one that tells.
    await lanes.drain().catch(() => undefined);
    throw error;
  }
  await lanes.drain();
}

/** At most so many keys at once, cut between namespaces where that can be: a namespace in two parts is written in more batches. */
function* chunksOf(neks: readonly NekRows[], size: number): Generator<readonly NekRows[]> {
  const namespaceAt = (index: number) => neks[index]?.[0]?.namespace;
  for (let start = 0, end = 0; start < neks.length; start = end) {
    const most = Math.min(start + size, neks.length);
    end = most;
    while (end > start && namespaceAt(end - 1) === namespaceAt(most)) end -= 1;
    // One namespace fills it.
    if (end === start) end = most;
    yield neks.slice(start, end);
  }
}

function plan(
  ctx: RunContext,
  { document, kid }: NekWorld<NekSession>,
  { neks, tally, ahead }: PassOptions & { readonly neks: readonly NekRows[]; readonly tally: Tally },
): readonly Item[] {
  const now = ctx.services.clock.now() + ahead;
  const items: Item[] = [];
  const anomalies: Anomaly[] = [];
  for (const rows of neks) {
    const [first] = rows;
    if (first === undefined) continue;
    tally.keys += 1;
    tally.rows += rows.length;
    const dated = now - datedBefore(ctx.operationKey, first);
    const planned = planRewrap(rows, { document, kid, now, dated });
    switch (planned.action) {
      case 'none':
        break;
      case 'rewrap':
      case 'finish':
        tally.touched += 1;
        items.push({ row: planned.row, proof: planned.proof, fresh: planned.action === 'rewrap' });
        break;
      case 'anomaly': {
        const { encryptedAt, reason } = planned;
        anomalies.push({ namespace: first.namespace, kid: first.kid, encryptedAt, reason });
      }
    }
  }
  if (anomalies.length > 0) throw anomaliesFound(anomalies, anomalies.length, 'unknown');
  return items;
}

async function write(
  lanes: Lanes,
  writer: Writer,
  work: { readonly items: readonly Item[]; readonly batch: number; readonly tally: Tally },
): Promise<void> {
  const byNamespace = new Map<string, Item[]>();
  for (const item of work.items) {
    const known = byNamespace.get(item.row.namespace);
    if (known === undefined) byNamespace.set(item.row.namespace, [item]);
    else known.push(item);
  }
  for (const [namespace, items] of byNamespace) {
    const weight = Math.max(leastWeight, Math.min(items.length, work.batch));
    await lanes.add(namespace, weight, async () => {
      for (let start = 0; start < items.length; start += work.batch)
        for (const { fresh } of await writeBatch(writer, items.slice(start, start + work.batch)))
          if (fresh) work.tally.rewrapped += 1;
          else work.tally.finished += 1;
    });
  }
}
