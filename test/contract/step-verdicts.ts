import { expect } from 'vitest';
import type { ChangeStepType, Observation, RunContext } from '../../src/engine/step-type.ts';
import type { KubernetesWriter } from '../../src/services/kubernetes.ts';
import type { Services } from '../../src/services/services.ts';
import { keepsakeRig } from '../fakes/keepsake-rig.ts';

/** A changing step and somebody who gets in its way. */
export interface Scenario {
  readonly input: object;
  /** After the step has ended, somebody changes the same thing. */
  meddle(services: Services, outputs: object): Promise<unknown>;
}

/** A step's context on real or simulated services. `afterEffect` runs between an effect and what the step awaits next. */
export function contextOn(services: Services, afterEffect?: () => Promise<void>): RunContext {
  return {
    services: {
      ...services,
      kubernetes: watched(services.kubernetes, ['patch', 'apply', 'delete'], afterEffect),
      openbao: watched(services.openbao, ['stepDown'], afterEffect),
    },
    signal: new AbortController().signal,
    runId: 'run',
    instance: 'step',
    operationKey: 'rb-contract',
    deadline: services.clock.now() + 3_600_000,
    progress: () => undefined,
    checkpoint: async () => undefined,
    ...keepsakeRig(),
  };
}

/** Takes a step through its life, and looks at every turn: all five answers, and the outputs it would have lost in a crash. */
export async function expectVerdicts(
  type: ChangeStepType<never, object>,
  world: { readonly services: Services; denied(): Promise<KubernetesWriter> },
  scenario: Scenario,
): Promise<void> {
  const during: Observation[] = [];
  const ctx = contextOn(world.services, async () => void during.push(await look()));
  const input = scenario.input as never;
  const before = await type.capture(input, ctx);
  const look = (on = ctx) => type.observe(input, before, on);

  expect(await look()).toMatchObject({ state: 'not-applied' });
  const outputs = await type.run(input, { ...ctx, before });
  expect(during[0]).toMatchObject({ state: 'in-progress' });
  expect(await look()).toMatchObject({ state: 'applied', outputs });
  await scenario.meddle(world.services, outputs);
  expect(await look()).toMatchObject({ state: 'conflict' });
  const services = { ...ctx.services, kubernetes: await world.denied() };
  expect(await look({ ...ctx, services })).toMatchObject({ state: 'unknown' });
}

function watched<T extends object>(
  target: T,
  effects: readonly string[],
  afterEffect: (() => Promise<void>) | undefined,
): T {
  if (afterEffect === undefined) return target;
  return new Proxy(target, {
    get(object, name) {
      const member: unknown = Reflect.get(object, name);
      if (typeof member !== 'function') return member;
      if (!effects.includes(String(name))) return member.bind(object);
      return async (...args: unknown[]) => {
        const result: unknown = await member.apply(object, args);
        await afterEffect();
        return result;
      };
    },
  });
}
