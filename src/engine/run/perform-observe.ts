import { formatDuration } from '../duration.ts';
import type { Observation } from '../step-type.ts';
import type { ActionOf } from './action.ts';
import type { JournaledEvent, RunError } from './event.ts';
import { failedEvent } from './handling.ts';
import { failUnlessInterrupted } from './perform-change.ts';
import { failureOf } from './run-error.ts';
import type { Runtime } from './runtime.ts';
import type { Instance } from './state.ts';
import { askWorld, type Call, callFor, changeOf } from './step-call.ts';

type Phase = ActionOf<'observe'>['phase'];

/** Looks whether an effect is there, waits while it is on its way, and says what follows from it. */
export async function observe(runtime: Runtime, id: string, phase: Phase): Promise<void> {
  let call: Call;
  let seen: Observation;
  try {
    call = callFor(runtime, id);
    const found = await watch(runtime, call, phase);
    if (found === undefined) return;
    seen = found;
  } catch (thrown) {
    const { error } = failureOf(thrown);
    if (phase === 'before') return failUnlessInterrupted(runtime, id, error);
    if (runtime.aborting.aborted) return;
    // A failed look is never taken for "not there".
    const evidence = `it could not be observed: ${error.message}`;
    runtime.record([{ type: 'observed', id, phase, state: 'unknown', evidence }, doubt(id, evidence)], {
      sync: true,
    });
    return;
  }
  const observed: JournaledEvent = {
    type: 'observed',
    id,
    phase,
    state: seen.state,
    evidence: seen.evidence,
    ...(seen.outputs === undefined ? {} : { outputs: seen.outputs }),
    ...(seen.witnesses === undefined ? {} : { witnesses: seen.witnesses }),
    ...(seen.state === 'not-applied' && seen.partial === true ? { partial: true } : {}),
    ...(seen.state === 'in-progress' && seen.stuck === true ? { stuck: true } : {}),
  };
  const next =
    phase === 'before'
      ? beforeEffect(call, seen)
      : phase === 'after'
        ? afterEffect(call, seen)
        : afterUndo(call, seen);
  if (next === undefined || next.type !== 'failed') {
    runtime.record(next === undefined ? [observed] : [observed, next], { sync: next !== undefined });
    return;
  }
  runtime.record([observed, failedEvent(runtime, id, next.error)], { sync: true });
}

const longestPause = 1000;

async function watch(runtime: Runtime, call: Call, phase: Phase): Promise<Observation | undefined> {
  const { instance } = call;
  const type = changeOf(call);
  const before = instance.before ?? { state: null, witnesses: [] };
  const deadline = observeUntil(runtime, call, phase);
  for (let pause = 100; ; pause = Math.min(pause * 2, longestPause)) {
    const seen = await askWorld(runtime, call, (ctx) => type.observe(call.input, before, ctx));
    const left = deadline - runtime.clock.now();
    if (seen.state !== 'in-progress' || isHopeless(instance, seen, phase) || left <= 0) return seen;
    if (runtime.stopping.aborted) return undefined;
    runtime.progress(instance.id, { text: seen.evidence });
    await runtime.clock.sleep(Math.min(pause, left), runtime.stopping);
  }
}

// An intent of an earlier session, or of before a human said 'retry', gets a whole time limit again.
function observeUntil(runtime: Runtime, call: Call, phase: Phase): number {
  const { deadline } = call.instance;
  const again = runtime.clock.now() + call.timeout;
  if (phase === 'before' || deadline === undefined) return again;
  return deadline < runtime.state().sessionStart ? runtime.state().sessionStart + call.timeout : deadline;
}

function beforeEffect(call: Call, seen: Observation): JournaledEvent | undefined {
  const { instance } = call;
  const { id } = instance;
  switch (seen.state) {
    case 'not-applied':
      return undefined;
    case 'applied':
      return {
        type: 'skipped',
        id,
        node: id,
        parent: instance.parent,
        block: instance.block,
        name: instance.name,
        reason: 'already-applied',
        text: `already as wanted: ${seen.evidence}`,
        ...(seen.outputs === undefined ? {} : { outputs: seen.outputs }),
      };
    case 'in-progress':
      return failedWith(id, {
        code: 'busy',
        message: `something like it is still going on: ${seen.evidence}`,
      });
    case 'conflict':
      return failedWith(id, { code: 'conflict', message: seen.evidence });
    case 'unknown':
      return failedWith(id, { code: 'cannot-observe', message: seen.evidence });
  }
}

function afterEffect(call: Call, seen: Observation): JournaledEvent | undefined {
  const { instance } = call;
  const { id, lastError } = instance;
  switch (seen.state) {
    case 'applied':
      return undefined;
    case 'not-applied':
      return notApplied(instance, seen);
    case 'in-progress':
      if (isHopeless(instance, seen, 'after'))
        return failedWith(id, lastError ?? { code: 'stuck', message: seen.evidence });
      return failedWith(id, {
        code: 'timeout',
        message: `not finished within ${formatDuration(call.timeout)}: ${seen.evidence}`,
        ...(lastError === undefined ? {} : { details: [lastError.message] }),
      });
    case 'conflict':
      return failedWith(id, { code: 'conflict', message: `somebody else has changed it: ${seen.evidence}` });
    case 'unknown':
      return doubt(id, seen.evidence);
  }
}

const passing = ['timeout', 'aborted', 'interrupted'];

/** Waiting is no use: the step said for good why it failed, or refused to undo, or the world shows that nothing moves any more. */
function isHopeless(instance: Instance, seen: Observation, phase: Phase): boolean {
  if (phase === 'before') return false;
  if (seen.stuck === true) return true;
  const { stage, lastError, undo, undoError } = instance;
  const [doing, error] = phase === 'after' ? [stage, lastError] : [undo, undoError];
  return (
    doing === 'doubtful' && error !== undefined && error.retryable !== true && !passing.includes(error.code)
  );
}

function notApplied(instance: Instance, seen: Observation): JournaledEvent | undefined {
  const { id, stage, lastError, retryAt } = instance;
  if (stage === 'returned')
    return failedWith(id, {
      code: 'no-effect',
      message: `it ended well but changed nothing: ${seen.evidence}`,
    });
  // A crash, or an interrupt, between intent and effect: it simply runs now.
  const stopped = stage !== 'doubtful' || lastError === undefined || lastError.code === 'interrupted';
  return stopped || retryAt !== undefined ? undefined : failedWith(id, lastError);
}

function afterUndo(call: Call, seen: Observation): JournaledEvent | undefined {
  const { id, undoError } = call.instance;
  switch (seen.state) {
    case 'not-applied':
      return seen.partial === true ? stillThere(call, seen) : { type: 'undone', id, evidence: seen.evidence };
    case 'applied':
      return stillThere(call, seen);
    case 'in-progress':
      // Nothing moves any more: what is there is there to be undone.
      if (seen.stuck === true) return stillThere(call, seen);
      if (undoError !== undefined && isHopeless(call.instance, seen, 'undo')) return notUndone(id, undoError);
      return notUndone(id, {
        code: 'timeout',
        message: `not finished within ${formatDuration(call.timeout)}: ${seen.evidence}`,
      });
    case 'conflict':
      return notUndone(id, { code: 'conflict', message: seen.evidence });
    case 'unknown':
      return doubt(id, seen.evidence);
  }
}

/** Undefined: it is undone (again) now. */
function stillThere({ instance }: Call, { evidence }: Observation): JournaledEvent | undefined {
  const { id, undo, undoError, retryAt } = instance;
  if (undo === 'returned')
    return notUndone(id, { code: 'still-there', message: `it is still there: ${evidence}` });
  // A crash, an interrupt, or a human who continued the run.
  if (undo === 'intended' || undoError === undefined || undoError.code === 'interrupted') return undefined;
  return retryAt === undefined ? notUndone(id, undoError) : undefined;
}

function notUndone(id: string, error: RunError): JournaledEvent {
  return { type: 'undo-failed', id, error };
}

function doubt(id: string, evidence: string): JournaledEvent {
  return {
    type: 'unknown',
    id,
    error: { code: 'outcome-unknown', message: evidence, hint: 'look at it yourself before you go on' },
  };
}

function failedWith(id: string, error: RunError): JournaledEvent {
  return { type: 'failed', id, error, handling: 'stop' };
}
