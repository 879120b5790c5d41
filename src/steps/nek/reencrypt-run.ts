import { formatDuration, parseDuration } from '../../engine/duration.ts';
import type { Json } from '../../engine/json.ts';
import type { RunContext } from '../../engine/step-type.ts';
import { StepError } from '../../engine/step-type.ts';
import type { NekReencryptOutputs, NekReencryptWith } from '../../generated/types.ts';
import type { NekSession } from '../../services/nek-store.ts';
import { openVersion } from '../mek/document.ts';
import { requireClock } from '../mek/openbao.ts';
import { captured } from '../mek/preparing.ts';
import { outOfTime } from '../out-of-time.ts';
import { keepOutcome } from '../outcome.ts';
import { noteBegun } from '../undone.ts';
import { count } from './count.ts';
import { requireHealthy, requireNoAnomalies } from './health.ts';
import { ledgerName } from './ledger.ts';
import { type NekWorld, withNeks } from './open.ts';
import { createPace } from './pace.ts';
import { type PassOptions, pass, type Tally } from './pass.ts';
import { type ReencryptState, requireActive } from './reencrypt-state.ts';
import { sparing } from './sparing.ts';

/** Somebody writes under another master key as fast as we wrap: no number of passes would do. */
const mostPasses = 20;
/** Passes in a row that must find nothing. */
const quietPasses = 2;
const checkpointEvery = 5000;
/** A server whose clock is nearer than this has the same time: it tells whole seconds. */
const sameTime = 2000;

/** Re-wraps until nothing is left to do. Starting anew after a crash needs nothing but the rows. */
export async function reencryptAll(input: NekReencryptWith, ctx: RunContext): Promise<NekReencryptOutputs> {
  const { clock } = ctx.services;
  const started = clock.monotonic();
  const { kid, keys } = captured<ReencryptState>(ctx);
  requireRoom(input, ctx);
  return await withNeks(ctx, { ...input, kid }, async (first) => {
    requireActive(first, input);
    await requireHealthy(ctx, first.session, input);
    // A first attempt was preceded by a census a moment ago.
    if (ctx.resumed !== undefined || (await ctx.kept(ledgerName)) !== undefined)
      requireNoAnomalies((await count(ctx, first)).census);
    await noteBegun(ctx);
    const total = { ...doneBefore(ctx.resumed), passes: 0 };
    const report = reporter(ctx, { expected: keys, total });
    const pace = createPace(clock, input.inFlight ?? 1024);
    const options: PassOptions = {
      batch: input.batch ?? 50,
      rowsPerSecond: input.rowsPerSecond,
      ahead: aheadOf(ctx, first),
      pace,
    };
    let last = emptyTally();
    for (let quiet = 0, failures = 0; quiet < quietPasses; ) {
      if (total.passes === mostPasses) throw neverQuiet(last);
      if (quiet === 1 && failures === 0) await caches(input, ctx);
      const tally = emptyTally();
      try {
        const world = await reopened(ctx, first, input);
        await pass(ctx, world, { ...options, tally, onChunk: () => report(tally) });
        total.passes += 1;
        quiet = tally.touched === 0 ? quiet + 1 : 0;
        failures = 0;
      } catch (error) {
        if (!(error instanceof StepError) || !error.retryable || ctx.signal.aborted) throw error;
        // What was written is good; the rows themselves say what is left.
        pace.trouble();
        ctx.progress({ text: `${error.message} Trying again.` });
        await pace.rest(failures++, ctx.signal);
      }
      total.rewrapped += tally.rewrapped;
      total.finished += tally.finished;
      last = tally;
    }
    const { rewrapped, finished, passes } = total;
    return await keepOutcome<NekReencryptOutputs>(ctx, {
      kid,
      rewrapped,
      finished,
      alreadyCurrent: Math.max(0, last.keys - rewrapped - finished),
      passes,
      rows: last.rows,
      seconds: Math.round((clock.monotonic() - started) / 1000),
    });
  });
}

function emptyTally(): Tally {
  return { keys: 0, rows: 0, touched: 0, rewrapped: 0, finished: 0 };
}

/** The master keys anew: whoever changed them meanwhile must have left ours in its place. */
async function reopened(
  ctx: RunContext,
  world: NekWorld<NekSession>,
  input: NekReencryptWith,
): Promise<NekWorld<NekSession>> {
  const opened = await openVersion(ctx, world.opened.bao);
  const now = { ...world, opened, document: opened.document };
  const { document, kid } = now;
  if (document.key(kid) === undefined || (document.currentKid !== kid && input.allowInactive !== true))
    throw new StepError(
      'world-moved',
      `The master keys changed: ${document.currentKid} is active in version ${opened.version}, ${kid} was when this began.`,
      { hint: 'What was wrapped stays good. Find out who changed the keys before this goes on.' },
    );
  return now;
}

/** Milliseconds that new rows are to be ahead of this machine's clock, so that they carry the servers' time. */
function aheadOf(ctx: RunContext, { opened }: NekWorld<unknown>): number {
  const ahead = requireClock(ctx, opened.bao) - ctx.services.clock.now();
  return Math.abs(ahead) > sameTime ? ahead : 0;
}

function requireRoom({ cacheTtl }: NekReencryptWith, ctx: RunContext): void {
  const needed = parseDuration(cacheTtl ?? '0s') ?? 0;
  if (needed === 0 || ctx.services.clock.now() + needed < ctx.deadline) return;
  throw new StepError('timeout-too-short', `The time limit leaves no room to wait ${cacheTtl} for caches.`, {
    outcome: 'not-applied',
    hint: 'Raise timeout of this step above cacheTtl.',
  });
}

async function caches({ cacheTtl }: NekReencryptWith, ctx: RunContext): Promise<void> {
  if (cacheTtl === undefined) return;
  ctx.progress({ text: `nothing is left; waiting ${cacheTtl} for caches of ESS before the last pass` });
  await ctx.services.clock.sleep(parseDuration(cacheTtl) ?? 0, ctx.signal);
  if (ctx.signal.aborted) throw outOfTime(ctx, 'The wait for caches of ESS was stopped.');
}

function neverQuiet({ touched }: Tally): StepError {
  return new StepError(
    'not-converging',
    `After ${mostPasses} passes there still were ${touched} namespace keys under another master key.`,
    {
      hint: 'Some ESS pod still wraps with it: prove what every pod has loaded (mek.converge), then resume.',
    },
  );
}

interface Done {
  rewrapped: number;
  finished: number;
}

function doneBefore(resumed: Json | undefined): Done {
  const { rewrapped = 0, finished = 0 } = (resumed ?? {}) as Partial<Done>;
  return { rewrapped, finished };
}

function reporter(
  ctx: RunContext,
  { expected, total }: { readonly expected: number; readonly total: Done & { readonly passes: number } },
): (tally: Tally) => Promise<void> {
  const { clock } = ctx.services;
  let saved = clock.monotonic();
  const show = sparing(ctx);
  let began: { readonly tally: Tally; readonly at: number } | undefined;
  return async (tally) => {
    const now = clock.monotonic();
    if (began?.tally !== tally) began = { tally, at: now };
    if (now - saved >= checkpointEvery) {
      saved = now;
      const rewrapped = total.rewrapped + tally.rewrapped;
      const finished = total.finished + tally.finished;
      await ctx.checkpoint({ passes: total.passes, keys: tally.keys, rewrapped, finished });
    }
    const elapsed = now - began.at;
    show(() => progressText(total.passes + 1, tally, { expected, elapsed }));
  };
}

function progressText(
  number: number,
  { keys, rewrapped, finished }: Tally,
  { expected, elapsed }: { readonly expected: number; readonly elapsed: number },
): string {
  const left = Math.max(0, expected - keys);
  const rate = elapsed > 0 ? (keys * 1000) / elapsed : 0;
  const speed =
    rate > 0 ? `, ${Math.round(rate)}/s, ${formatDuration((left * 1000) / rate)} left in this pass` : '';
  return `pass ${number}: ${keys} of ${Math.max(expected, keys)} namespace keys, ${rewrapped + finished} wrapped anew${speed}`;
}
