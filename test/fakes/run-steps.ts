import type { JsonObject } from '../../src/engine/json.ts';
import type { StepSchema } from '../../src/engine/step-schema.ts';
import {
  type AnyStepType,
  type Before,
  type ChangeStepType,
  type Observation,
  type ReadStepType,
  StepError,
  type StepRegistry,
  Suspend,
  type Witness,
} from '../../src/engine/step-type.ts';
import type { Clock } from '../../src/services/clock.ts';

/**
 * What one call to a step does: 'ok'; 'fail' without an effect; 'flaky', which may be retried; 'lost': effect, then no answer;
 * 'half': a part of the effect, then no answer; 'idle': no effect, yet ends well; 'hang': nothing until it is asked to stop;
 * 'wait': the same, with an error of its own; 'slow': the effect shows only after 30 s.
 */
export type Behaviour =
  | 'ok'
  | 'fail'
  | 'flaky'
  | 'lost'
  | 'half'
  | 'crash-half'
  | 'idle'
  | 'hang'
  | 'wait'
  | 'slow'
  | 'crash'
  | 'crash-after';

/** Something that is there or not, and every effect ever made on it, in order. */
export class RunTarget {
  readonly clock: Clock;
  readonly present = new Map<string, { readonly by: string; readonly from: number }>();
  /** What is there in part. */
  readonly halves = new Set<string>();
  readonly log: string[] = [];
  /** What the next calls of an instance do; 'ok' when there is nothing left. */
  readonly script = new Map<string, Behaviour[]>();
  /** What every call of an instance does, when its script is over. */
  always: ReadonlyMap<string, Behaviour> = new Map();
  /** What `observe` is to say of an instance, instead of the truth. */
  readonly verdicts = new Map<string, Observation['state'][]>();
  /** Instances of which `observe` says that what is on its way will not come to a good end. */
  readonly stuck = new Set<string>();
  /** What the next calls of an instance throw. */
  readonly errors = new Map<string, Error[]>();
  /** What the next observations throw. */
  readonly observeErrors: Error[] = [];
  /** What `capture` sees of an instance, and `observe` once it is applied. */
  readonly witnesses = new Map<string, readonly Witness[]>();
  readonly witnessesAfter = new Map<string, readonly Witness[]>();
  readonly reads = new Map<string, (JsonObject | Error)[]>();
  /** What the last `run` of an instance was told that `capture` had found. */
  readonly befores = new Map<string, Before | undefined>();
  crash: () => void = () => undefined;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  next(instance: string): Behaviour {
    return this.script.get(instance)?.shift() ?? this.always.get(instance) ?? 'ok';
  }

  /** How often each effect was made. */
  count(entry: string): number {
    return this.log.filter((line) => line === entry).length;
  }

  /** For one process: once that is dead, its calls have no effect and no end. */
  steps(alive: () => boolean = () => true): StepRegistry {
    const types: readonly AnyStepType[] = [
      changeType(this, alive) as unknown as AnyStepType,
      {
        ...changeType(this, alive),
        type: 'fake.kept',
        undo: { irreversible: 'nothing brings it back' },
      } as unknown as AnyStepType,
      readType(this) as unknown as AnyStepType,
      approveType as unknown as AnyStepType,
      waitType(this) as unknown as AnyStepType,
    ];
    return new Map(types.map((type) => [type.type, type]));
  }
}

interface With {
  readonly name?: string;
}

function changeType(target: RunTarget, alive: () => boolean): ChangeStepType<With, JsonObject> {
  const name = (input: With, instance: string) => input.name ?? instance;
  return {
    type: 'fake.change',
    effect: 'change',
    timeout: 60_000,
    describe: (input) => `change ${input.name ?? ''}`,
    resources: () => [],
    access: () => [],
    predict: async () => ({ predictable: false, why: 'fake' }),
    capture: async (input, ctx) => ({
      state: { was: target.present.has(name(input, ctx.instance)) },
      witnesses: target.witnesses.get(ctx.instance) ?? [],
    }),
    async run(input, ctx) {
      const key = name(input, ctx.instance);
      target.befores.set(ctx.instance, ctx.before);
      const error = target.errors.get(ctx.instance)?.shift();
      if (error !== undefined) throw error;
      const behaviour = target.next(ctx.instance);
      if (behaviour === 'fail') throw new StepError('refused', 'It was refused.', { outcome: 'not-applied' });
      if (behaviour === 'flaky')
        throw new StepError('busy', 'try later', { retryable: true, outcome: 'not-applied' });
      if (behaviour === 'crash') await stop(target);
      if (behaviour === 'hang' || behaviour === 'wait') {
        await target.clock.sleep(86_400_000, ctx.signal);
        throw new StepError(behaviour === 'hang' ? 'aborted' : 'not-ready', 'stopped waiting');
      }
      if (behaviour === 'idle') return { key };
      if (!alive()) await never();
      if (behaviour === 'half' || behaviour === 'crash-half') {
        target.log.push(`half ${ctx.instance}`);
        target.halves.add(key);
        if (behaviour === 'crash-half') await stop(target);
        throw new StepError('broken', 'it broke in the middle');
      }
      target.halves.delete(key);
      target.log.push(`do ${ctx.instance}`);
      target.present.set(key, {
        by: ctx.operationKey,
        from: target.clock.now() + (behaviour === 'slow' ? 30_000 : 0),
      });
      if (behaviour === 'crash-after') await stop(target);
      if (behaviour === 'lost') throw new StepError('no-answer', 'the connection broke', { retryable: true });
      return { key };
    },
    async observe(input, _before, ctx) {
      const key = name(input, ctx.instance);
      const error = target.observeErrors.shift();
      if (error !== undefined) throw error;
      const verdict = target.verdicts.get(ctx.instance)?.shift();
      const stuck = verdict === 'in-progress' && target.stuck.has(ctx.instance);
      if (verdict !== undefined)
        return { state: verdict, evidence: `told to say ${verdict}`, ...(stuck && { stuck }) };
      const found = target.present.get(key);
      if (found === undefined && target.halves.has(key))
        return { state: 'not-applied', partial: true, evidence: `${key} is there in part` };
      if (found === undefined) return { state: 'not-applied', evidence: `${key} is absent` };
      if (found.from > target.clock.now()) return { state: 'in-progress', evidence: `${key} is coming` };
      const witnesses = target.witnessesAfter.get(ctx.instance) ?? [];
      return { state: 'applied', evidence: `${key} is present`, outputs: { key }, witnesses };
    },
    async undo(input, _before, _outputs, ctx) {
      const key = name(input, ctx.instance);
      const behaviour = target.next(`${ctx.instance}~undo`);
      if (behaviour === 'fail') throw new StepError('refused', 'It was refused.', { outcome: 'not-applied' });
      if (behaviour === 'crash') await stop(target);
      if (behaviour === 'idle') return;
      if (!alive()) await never();
      target.log.push(`undo ${ctx.instance}`);
      target.present.delete(key);
      target.halves.delete(key);
      if (behaviour === 'crash-after') await stop(target);
      if (behaviour === 'lost') throw new StepError('no-answer', 'the connection broke', { retryable: true });
    },
  };
}

async function stop(target: RunTarget): Promise<never> {
  target.crash();
  return never();
}

function never(): Promise<never> {
  return new Promise(() => undefined);
}

function readType(target: RunTarget): ReadStepType<With, JsonObject> {
  return {
    type: 'fake.read',
    effect: 'read',
    timeout: 60_000,
    describe: () => 'read',
    resources: () => [],
    access: () => [],
    findings: ({ found }) =>
      Array.isArray(found) ? { details: found.map(String), hint: 'look into each' } : { details: [] },
    async run(_input, ctx) {
      target.log.push(`read ${ctx.instance}`);
      const behaviour = target.next(ctx.instance);
      if (behaviour === 'fail') throw new StepError('refused', 'refused');
      if (behaviour === 'flaky') throw new StepError('busy', 'try later', { retryable: true });
      if (behaviour === 'crash') await stop(target);
      if (behaviour === 'hang') {
        await target.clock.sleep(86_400_000, ctx.signal);
        throw new StepError('aborted', 'stopped waiting');
      }
      const answer = target.reads.get(ctx.instance)?.shift();
      if (answer instanceof Error) throw answer;
      return answer ?? { ok: true };
    },
  };
}

const approveType: ReadStepType<{ text: string }, JsonObject> = {
  type: 'fake.approve',
  effect: 'read',
  describe: (input) => input.text,
  resources: () => [],
  access: () => [],
  run: async (input) => {
    throw new Suspend({ approval: { text: input.text } });
  },
};

function waitType(target: RunTarget): ReadStepType<{ ms: number }, JsonObject> {
  return {
    type: 'fake.wait',
    effect: 'read',
    describe: () => 'wait',
    resources: () => [],
    access: () => [],
    run: async (input) => {
      throw new Suspend({ until: target.clock.now() + input.ms });
    },
  };
}

const anything = Object.assign(() => true, { errors: null }) as unknown as StepSchema['with'];

/** Schemas that accept whatever a test writes. */
export const runSchemas: Readonly<Record<string, StepSchema>> = Object.fromEntries(
  ['fake.change', 'fake.kept', 'fake.read', 'fake.approve', 'fake.wait'].map((type) => [
    type,
    {
      schema: {
        title: type,
        description: type,
        properties: { with: { 'x-secret': true }, outputs: {} },
        examples: [],
      },
      with: anything,
      template: anything,
    } satisfies StepSchema,
  ]),
);
