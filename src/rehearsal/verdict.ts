import type { RunEvent } from '../engine/run/event.ts';
import { exitCodes } from '../exit-code.ts';
import type { Attempted } from './attempt.ts';
import { type Difference, differences, type Flat, flatten, placeOf } from './compare.ts';
import { declared } from './declared.ts';
import type { Kept, RehearsalRow, Unrestored, Verdict, Way } from './rehearsal.ts';
import type { Stage } from './stage.ts';
import type { Trace } from './trace.ts';

/** Pauses between two looks, in milliseconds of the simulated clock: longer than any pod takes, and than ESS takes to read its keys again. */
const LOOKS = [120_000, 1_080_000, 2_400_000];
const SETTLED = 1_200_000;

/** Pods load the document of master keys by themselves, sooner or later: who changed it has changed that, too. */
const FOLLOWS = /^Master keys in the pods of /;
const LEADS = /^OpenBao \S+ services\/all\/kv\/encryption\/keys\/stored_data data\./;

interface Parts {
  readonly kept: readonly Kept[];
  readonly unrestored: readonly Unrestored[];
}

function ran(events: readonly RunEvent[]): readonly string[] {
  return events.flatMap((event) => (event.type === 'intended' && !event.undo ? [event.id] : []));
}

/** The declared step that a difference belongs to, the latest one first. */
function ownerAmong(
  ids: readonly string[],
  { touched }: Pick<Trace, 'touched'>,
  difference: Difference,
): string | undefined {
  const place = placeOf(difference);
  const own = ids.findLast((id) => touched.get(id)?.has(place) === true);
  if (own !== undefined || !FOLLOWS.test(difference.subject)) return own;
  return ids.findLast((id) => [...(touched.get(id) ?? [])].some((other) => LEADS.test(other)));
}

function grouped(
  found: readonly (readonly [string, Difference])[],
): ReadonlyMap<string, readonly Difference[]> {
  const groups = new Map<string, Difference[]>();
  for (const [step, difference] of found) groups.set(step, [...(groups.get(step) ?? []), difference]);
  return groups;
}

function partition(
  about: {
    readonly step: string;
    readonly stage: Stage;
    readonly trace: Trace;
    readonly attempted: Attempted;
  },
  found: readonly Difference[],
): Parts {
  const { step, stage, trace, attempted } = about;
  const ids = ran(attempted.events);
  const why = declared(stage, attempted.events);
  const declaredIds = ids.filter((id) => why.has(id));
  const kept: (readonly [string, Difference])[] = [];
  const rest: (readonly [string, Difference])[] = [];
  for (const difference of found) {
    const owner = ownerAmong(declaredIds, trace, difference);
    if (owner !== undefined) kept.push([owner, difference]);
    else rest.push([ownerAmong(ids, trace, difference) ?? step, difference]);
  }
  return {
    kept: [...grouped(kept)].map(([id, each]) => ({ step: id, why: why.get(id) ?? '', differences: each })),
    unrestored: [...grouped(rest)].map(([id, each]) => ({ step: id, differences: each })),
  };
}

function verdictOf({ exitCode }: Attempted, { kept, unrestored }: Parts): Verdict {
  if (exitCode === exitCodes.unknown) return 'human';
  if (exitCode !== exitCodes.rolledBack) return 'incomplete';
  if (unrestored.length > 0) return 'not-restored';
  return kept.length > 0 ? 'kept' : 'restored';
}

/** Compares the world after a rollback with the one before the run, once it had time to settle. */
export async function judge(
  about: {
    readonly step: string;
    readonly way: Way;
    readonly stage: Stage;
    readonly trace: Trace;
    readonly before: Flat;
  },
  attempted: Attempted,
): Promise<RehearsalRow> {
  const { step, way, before } = about;
  const { sandbox, ended, exitCode, text, struck } = attempted;
  const never = new AbortController().signal;
  const look = () =>
    partition({ ...about, attempted }, differences(before, flatten(sandbox.inspect.fields())));
  let parts = look();
  let settledAfter = 0;
  for (const pause of LOOKS) {
    // What stays as declared is told as it is once pods have come and gone.
    if (parts.unrestored.length === 0 && (parts.kept.length === 0 || settledAfter >= SETTLED)) break;
    await sandbox.services.clock.sleep(pause, never);
    const next = look();
    settledAfter += pause;
    parts = next;
  }
  return {
    step,
    way,
    verdict: verdictOf(attempted, parts),
    ended,
    exitCode,
    text,
    struck: way === 'none' || struck,
    settledAfter: parts.unrestored.length === 0 && parts.kept.length === 0 ? settledAfter : 0,
    ...parts,
  };
}
