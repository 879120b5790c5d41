import type { JsonObject } from '../json.ts';
import { loadSecrets } from '../secret.ts';
import { StepError, Suspend } from '../step-type.ts';
import { bounded } from './deadline.ts';
import { durationOf } from './evaluate.ts';
import type { RunError } from './event.ts';
import { expectationFailure } from './expectation.ts';
import { scopeSource } from './facts.ts';
import { withFaults } from './fault.ts';
import { failedEvent } from './handling.ts';
import { retryTime } from './retry.ts';
import { failureOf } from './run-error.ts';
import type { Runtime } from './runtime.ts';
import type { Instance } from './state.ts';
import { type Call, callFor, keepSecrets, readContext, runContext } from './step-call.ts';

/** A reading step: run, `expect`, and with `until` again until it holds or the time is over. Journals how it ended. */
export async function performRead(runtime: Runtime, id: string): Promise<void> {
  try {
    const call = callFor(runtime, id);
    if (call.instance.suspended === undefined) await poll(runtime, call);
    else runtime.record([{ type: 'done', id, outputs: afterWait(call.instance), applied: false }]);
  } catch (thrown) {
    fail(runtime, id, failureOf(thrown).error);
  }
}

interface Attempt {
  readonly outputs?: JsonObject;
  readonly error?: RunError;
}

async function poll(runtime: Runtime, call: Call): Promise<void> {
  const { id } = call.instance;
  const until = polling(runtime, call);
  for (;;) {
    if (runtime.halting.aborted) return;
    const attempt = await once(runtime, call);
    if (attempt === 'suspended') return;
    if (attempt.error === undefined) return succeed(runtime, call, attempt.outputs ?? {});
    // An operation that an interrupt stopped says nothing about the system: it runs again after a resume.
    if (runtime.aborting.aborted) return;
    const again = attempt.error.code === 'expect-failed' || attempt.error.retryable === true;
    if (until === undefined || !again) return giveUp(runtime, call, attempt.error);
    const left = until.deadline - runtime.clock.now();
    if (left <= 0) return fail(runtime, id, outOfTime(attempt.error, until.text));
    runtime.progress(id, { text: waitingText(attempt.error) });
    await runtime.clock.sleep(Math.min(until.every, left), runtime.halting);
  }
}

function polling(
  runtime: Runtime,
  call: Call,
): { readonly deadline: number; readonly every: number; readonly text: string } | undefined {
  const { node, instance } = call;
  if (node.until === undefined) return undefined;
  const source = scopeSource(runtime.plan, runtime.state(), runtime.inputs);
  const within = durationOf(source, instance.id, node.until.within) ?? 0;
  const every = durationOf(source, instance.id, node.until.every) ?? 0;
  const deadline = instance.pollUntil ?? runtime.clock.now() + within;
  if (instance.pollUntil === undefined) runtime.record([{ type: 'polling', id: instance.id, deadline }]);
  return { deadline, every, text: node.until.within };
}

async function once(runtime: Runtime, call: Call): Promise<Attempt | 'suspended'> {
  const { instance, node, timeout } = call;
  const { id } = instance;
  const deadline = runtime.clock.now() + timeout;
  try {
    const outputs = await bounded(runtime, { deadline, timeout }, (signal) =>
      withFaults(runtime, id, {
        signal,
        run: () =>
          loadSecrets(call.input).then(() =>
            call.type.effect === 'read'
              ? call.type.run(call.input, readContext(runtime, call, { deadline, signal }))
              : call.type.run(call.input, runContext(runtime, call, { deadline, signal })),
          ),
      }),
    );
    const plain = keepSecrets(runtime, id, outputs);
    const error = expectationFailure(runtime, { id, expect: node.expect, outputs: plain, type: call.type });
    return error === undefined ? { outputs: plain } : { outputs: plain, error };
  } catch (thrown) {
    if (!(thrown instanceof Suspend)) return { error: failureOf(thrown).error };
    const { until, approval } = thrown;
    runtime.record(
      [
        {
          type: 'suspended',
          id,
          ...(until === undefined ? {} : { until }),
          ...(approval === undefined ? {} : { approval }),
        },
      ],
      { sync: true },
    );
    return 'suspended';
  }
}

function succeed(runtime: Runtime, call: Call, outputs: JsonObject): void {
  const { id } = call.instance;
  const proven = (call.node.verify ?? []).length > 0;
  runtime.record([
    proven ? { type: 'result', id, outputs, undo: false } : { type: 'done', id, outputs, applied: false },
  ]);
}

function giveUp(runtime: Runtime, call: Call, error: RunError): void {
  const { instance, node } = call;
  const { id, failures } = instance;
  const retryAt = retryTime(runtime, { id, node, failures }, error);
  if (retryAt === undefined) {
    fail(runtime, id, error);
    return;
  }
  const attempt = failures + 1;
  runtime.record([
    { type: 'attempt-failed', id, attempt, error, outcome: 'not-applied', retryAt, undo: false },
  ]);
}

function fail(runtime: Runtime, id: string, error: RunError): void {
  runtime.record([failedEvent(runtime, id, error)], { sync: true });
}

function outOfTime(error: RunError, within: string): RunError {
  return { ...error, message: `${error.message}: not within ${within}` };
}

function waitingText(error: RunError): string {
  return error.details?.[0] ?? error.message;
}

// What the step itself would answer once its wait is over.
function afterWait(instance: Instance): JsonObject {
  const { suspended } = instance;
  if (suspended?.approval !== undefined) return { text: suspended.approval.text };
  if (suspended?.until !== undefined) return { until: new Date(suspended.until).toISOString() };
  throw new StepError('suspended-for-nothing', 'the step suspended without saying for what');
}
