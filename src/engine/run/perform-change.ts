import type { JsonObject } from '../json.ts';
import { verifyOf } from '../plan/instance.ts';
import type { Witness } from '../step-type.ts';
import { bounded } from './deadline.ts';
import type { RunError } from './event.ts';
import { expectationFailure } from './expectation.ts';
import { withFaults } from './fault.ts';
import { failedEvent } from './handling.ts';
import { largestSideFile } from './journal-record.ts';
import { operationKey } from './operation-key.ts';
import { retryTime } from './retry.ts';
import { EvaluationError, failureOf } from './run-error.ts';
import type { Runtime } from './runtime.ts';
import { askWorld, type Call, callFor, changeOf, runContext } from './step-call.ts';
import { containerIn, forecastOf } from './structure.ts';
import { get } from './table.ts';

/** What undo and observe will compare with. Synced together with the intent. */
export async function capture(runtime: Runtime, id: string): Promise<void> {
  try {
    const call = callFor(runtime, id);
    const type = changeOf(call);
    const before = await askWorld(runtime, call, (ctx) => type.capture(call.input, ctx));
    runtime.record([{ type: 'captured', id, before: before.state, witnesses: before.witnesses }]);
  } catch (thrown) {
    failUnlessInterrupted(runtime, id, failureOf(thrown).error);
  }
}

/** The effect, between its intent and its result. Both are durable before anything else happens. */
export async function performChange(runtime: Runtime, id: string): Promise<void> {
  try {
    const call = callFor(runtime, id);
    const moved = staleWitness(runtime, call);
    if (moved !== undefined) fail(runtime, id, moved);
    else if (await mayChangeNow(runtime)) await effect(runtime, call);
  } catch (thrown) {
    const { error } = failureOf(thrown);
    const instance = get(runtime.state().instances, id);
    // Once it is intended, only an observation can say what came of it.
    if (instance?.stage === 'intended') giveUp(runtime, id, { error, attempt: instance.attempts });
    else fail(runtime, id, error);
  }
}

function giveUp(
  runtime: Runtime,
  id: string,
  failed: { readonly error: RunError; readonly attempt: number },
) {
  runtime.record([{ type: 'attempt-failed', id, ...failed, outcome: 'unknown', undo: false }], {
    sync: true,
  });
}

/** The lock is still ours and nobody asked to stop. Nothing may be awaited between this and the intent. */
export async function mayChangeNow(runtime: Runtime): Promise<boolean> {
  try {
    await runtime.lock.assertHeld();
  } catch (thrown) {
    const lock = thrown instanceof Error && 'lock' in thrown ? String(thrown.lock) : '';
    const why = thrown instanceof Error ? thrown.message : String(thrown);
    runtime.record([{ type: 'lock-lost', lock, why }], { sync: true });
    return false;
  }
  return !runtime.stopping.aborted;
}

async function effect(runtime: Runtime, call: Call): Promise<void> {
  const { instance, node, timeout } = call;
  const { id, failures } = instance;
  const type = changeOf(call);
  const attempt = instance.attempts + 1;
  const deadline = runtime.clock.now() + timeout;
  const key = operationKey(runtime.state().run, id);
  runtime.record([{ type: 'intended', id, operationKey: key, attempt, deadline, undo: false }], {
    sync: true,
  });
  let outputs: JsonObject;
  try {
    outputs = (await bounded(runtime, { deadline, timeout }, (signal) =>
      withFaults(runtime, id, {
        signal,
        run: () => type.run(call.input, runContext(runtime, call, { deadline, signal })),
      }),
    )) as JsonObject;
  } catch (thrown) {
    const { error, outcome } = failureOf(thrown);
    const retryAt = retryTime(runtime, { id, node, failures }, error);
    const again = retryAt === undefined ? {} : { retryAt };
    runtime.record([{ type: 'attempt-failed', id, attempt, error, outcome, ...again, undo: false }], {
      sync: true,
    });
    return;
  }
  runtime.record([{ type: 'result', id, outputs: bearable(runtime, id, outputs), undo: false }], {
    sync: true,
  });
}

/** An effect is recorded whatever it answered. */
function bearable(runtime: Runtime, id: string, outputs: JsonObject): JsonObject {
  const size = JSON.stringify(outputs).length;
  if (size <= largestSideFile) return outputs;
  const message = `the outputs of "${id}" have ${size} characters, more than the journal takes: they are dropped`;
  runtime.record([{ type: 'warning', code: 'outputs-dropped', message }]);
  return {};
}

/** With a saved plan: what it saw must still be there, or be what this run itself made of it. */
function staleWitness(runtime: Runtime, call: Call): RunError | undefined {
  const { instance, node } = call;
  const state = runtime.state();
  if (!state.pinned || instance.attempts > 0 || instance.block === 'rollback') return undefined;
  for (const planned of forecastOf(runtime.plan, instance.id)?.witnesses ?? []) {
    const seen = instance.before?.witnesses.find((witness) => witness.resource === planned.resource);
    const own = get(state.witnesses, planned.resource);
    // A step of another kind looks at other fields: after it, the plan's witness says nothing any more.
    if (own !== undefined && own.uses !== node.uses) continue;
    const wanted: Witness = own?.witness ?? planned;
    if (seen === undefined || seen.digest === wanted.digest) continue;
    return {
      code: 'stale',
      message: `the world moved: was ${wanted.description}, is ${seen.description}`,
      hint: 'make a new plan, look at it, and run that',
    };
  }
  return undefined;
}

/** After `verify`: the last word on a step. */
export function verify(runtime: Runtime, id: string): void {
  try {
    const call = callFor(runtime, id);
    const { instance, node } = call;
    if (containerIn(runtime.state(), verifyOf(id)).aborted)
      throw new EvaluationError('part-failed', 'a step of its verify failed');
    const outputs = instance.outputs ?? {};
    const error =
      instance.effect === 'change'
        ? expectationFailure(runtime, { id, expect: node.expect, outputs, type: call.type })
        : undefined;
    if (error !== undefined) {
      fail(runtime, id, error);
      return;
    }
    const evidence = instance.observed?.evidence ?? 'verified';
    const applied = instance.effect === 'change';
    // Not synced: the result is durable, and after a power cut it would only be observed once more.
    runtime.record([
      { type: 'verified', id, evidence },
      { type: 'done', id, outputs, applied },
    ]);
  } catch (thrown) {
    fail(runtime, id, failureOf(thrown).error);
  }
}

export function fail(runtime: Runtime, id: string, error: RunError): void {
  runtime.record([failedEvent(runtime, id, error)], { sync: true });
}

export function failUnlessInterrupted(runtime: Runtime, id: string, error: RunError): void {
  // A question that an interrupt cut off is asked again after a resume.
  if (!runtime.stopping.aborted) fail(runtime, id, error);
}
