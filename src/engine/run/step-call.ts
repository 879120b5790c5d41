import type { JsonObject } from '../json.ts';
import type { StepNode } from '../read/runbook.ts';
import { loadSecrets, Secret, unsealSecrets } from '../secret.ts';
import type { AnyStepType, ChangeStepType, ReadContext, RunContext, StepErrorOptions } from '../step-type.ts';
import { StepError } from '../step-type.ts';
import type { Value } from '../value.ts';
import { bounded } from './deadline.ts';
import { operationKey } from './operation-key.ts';
import { sealOutputs, secretOutputOf } from './output-secret.ts';
import { failureOf } from './run-error.ts';
import type { Runtime } from './runtime.ts';
import type { Instance } from './state.ts';
import { requireNode } from './structure.ts';
import { get } from './table.ts';

/** A step type whose input was proven by its schema. */
export type AnyChange = ChangeStepType<never, object>;

/** A leaf instance with everything a call to its step type needs. */
export interface Call {
  readonly instance: Instance;
  readonly node: StepNode;
  readonly type: AnyStepType;
  /** With its secrets back in place. */
  readonly input: never;
  readonly timeout: number;
}

export function callFor(runtime: Runtime, id: string): Call {
  const instance = get(runtime.state().instances, id);
  const node = requireNode(runtime.plan, id);
  if (instance === undefined || node.kind !== 'step') throw new RangeError(`"${id}" is no step of this run`);
  const type = runtime.steps.get(node.uses);
  if (type === undefined)
    throw new StepError(
      'unknown-step-type',
      `there is no step type "${node.uses}" in this version`,
      notApplied,
    );
  const secrets = secretsOf(runtime.inputs);
  const input = unsealSecrets(instance.with ?? {}, (name) => {
    const secret = secrets.get(name) ?? outputSecret(runtime, name);
    if (secret !== undefined) return secret;
    throw new StepError('secret-missing', `the secret "${name}" is not at hand`, {
      ...notApplied,
      hint: 'give it again and resume the run',
    });
  });
  return { instance, node, type, input: input as never, timeout: instance.timeout ?? 60_000 };
}

const readNow = new WeakMap<Runtime, Map<string, Secret>>();

function secretsReadBy(runtime: Runtime): Map<string, Secret> {
  const known = readNow.get(runtime) ?? new Map<string, Secret>();
  readNow.set(runtime, known);
  return known;
}

/** What a step has read, as it is journaled. Its secrets stay at hand in this process, and nobody can print them. */
export function keepSecrets(runtime: Runtime, id: string, outputs: object): JsonObject {
  const { sealed, secrets } = sealOutputs(id, outputs);
  for (const [name, secret] of secrets) {
    runtime.protect?.(secret);
    secretsReadBy(runtime).set(name, secret);
  }
  return sealed;
}

/** A secret output of an earlier step: as it was read, or, in a later process, read again when it is needed. */
function outputSecret(runtime: Runtime, name: string): Secret | undefined {
  const at = secretOutputOf(name);
  if (at === undefined) return undefined;
  const known = secretsReadBy(runtime).get(name);
  if (known !== undefined) return known;
  const secret = Secret.deferred(name, async () => {
    const call = callFor(runtime, at.instance);
    const { type, instance, input, timeout } = call;
    if (type.effect !== 'read' || type.reread === undefined)
      throw new StepError('secret-missing', `${type.type} cannot read ${name} again`, notApplied);
    await loadSecrets(input);
    const limit = { deadline: runtime.clock.now() + timeout, signal: runtime.aborting };
    const outputs = (instance.outputs ?? {}) as never;
    const again = await type.reread(at.field, input, outputs, readContext(runtime, call, limit));
    runtime.protect?.(again);
    return again;
  });
  secretsReadBy(runtime).set(name, secret);
  return secret;
}

export function changeOf(call: Call): AnyChange {
  if (call.type.effect === 'change') return call.type;
  throw new StepError('not-a-change', `${call.type.type} cannot change anything`, notApplied);
}

const notApplied: StepErrorOptions = { outcome: 'not-applied' };

export function readContext(
  runtime: Runtime,
  call: Call,
  limit: { readonly deadline: number; readonly signal: AbortSignal },
): ReadContext & { readonly operationKey: string } {
  const { id } = call.instance;
  const run = runtime.state().run;
  return {
    services: runtime.readServices,
    signal: limit.signal,
    runId: run,
    instance: id,
    deadline: limit.deadline,
    operationKey: call.instance.operationKey ?? operationKey(run, id),
    progress: (progress) => runtime.progress(id, progress),
    protect: (secret) => runtime.protect?.(secret),
    kept: async (name) => runtime.keepsakes?.read(id, name),
  };
}

export function runContext(
  runtime: Runtime,
  call: Call,
  limit: { readonly deadline: number; readonly signal: AbortSignal },
): RunContext {
  const { id, before, checkpoint } = call.instance;
  return {
    ...readContext(runtime, call, limit),
    services: runtime.servicesFor?.(id) ?? runtime.services,
    ...(before === undefined ? {} : { before }),
    ...(checkpoint === undefined ? {} : { resumed: checkpoint }),
    checkpoint: async (data) => {
      runtime.record([{ type: 'checkpoint', id, data }], { sync: true });
    },
    keep: async (name, bytes) => {
      if (runtime.keepsakes === undefined)
        throw new StepError('no-run-folder', 'there is no run folder to keep anything in', notApplied);
      runtime.keepsakes.append(id, name, bytes);
    },
  };
}

const firstPause = 250;
const patience = 15_000;

/**
 * A question to the world that changes nothing: asked again for a while when the failure is one that passes, so that a blip of the API
 * server does not fail a step or leave its outcome unknown.
 */
export async function askWorld<T>(
  runtime: Runtime,
  call: Call,
  ask: (ctx: ReadContext & { readonly operationKey: string }) => Promise<T>,
): Promise<T> {
  const started = runtime.clock.now();
  for (let pause = firstPause; ; pause *= 2) {
    const deadline = runtime.clock.now() + call.timeout;
    try {
      return await bounded(runtime, { deadline, timeout: call.timeout }, (signal) =>
        loadSecrets(call.input).then(() => ask(readContext(runtime, call, { deadline, signal }))),
      );
    } catch (thrown) {
      const { error } = failureOf(thrown);
      const over = runtime.clock.now() + pause - started > patience || error.code === 'timeout';
      if (error.retryable !== true || over || runtime.stopping.aborted) throw thrown;
      runtime.progress(call.instance.id, { text: `${error.message}; asking again` });
      await runtime.clock.sleep(pause, runtime.stopping);
    }
  }
}

const byInputs = new WeakMap<object, ReadonlyMap<string, Secret>>();

function secretsOf(inputs: Readonly<Record<string, Value>>): ReadonlyMap<string, Secret> {
  const known = byInputs.get(inputs);
  if (known !== undefined) return known;
  const secrets = new Map<string, Secret>();
  const visit = (value: Value): void => {
    if (value instanceof Secret) secrets.set(value.name, value);
    else if (typeof value === 'object' && value !== null)
      for (const item of Object.values(value)) visit(item);
  };
  visit(inputs);
  byInputs.set(inputs, secrets);
  return secrets;
}
