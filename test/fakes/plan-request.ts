import type { JsonObject } from '../../src/engine/json.ts';
import { makePlan, type Planned, type PlanRequest } from '../../src/engine/plan/make-plan.ts';
import type { Forecast, PlannedInput } from '../../src/engine/plan/plan.ts';
import type { Runbook, SecretSource } from '../../src/engine/read/runbook.ts';
import { type FakeWorld, fakeSchemas, fakeServices, fakeSteps } from './plan-steps.ts';

export interface PlanMore {
  readonly inputs?: Readonly<Record<string, string | number | boolean | readonly string[]>>;
  /** Inputs of type service, as they were found in the cluster. */
  readonly service?: Readonly<Record<string, JsonObject>>;
  readonly secrets?: PlanRequest['secrets'];
  readonly secretSources?: Readonly<Record<string, SecretSource>>;
  readonly options?: Partial<PlanRequest['options']>;
  readonly services?: PlanRequest['services'];
  readonly inventory?: PlanRequest['inventory'];
  readonly signal?: AbortSignal;
  /** Instead of the fake ones. */
  readonly steps?: PlanRequest['steps'];
}

export function planOf(runbook: Runbook, world: FakeWorld, more: PlanMore = {}): Promise<Planned> {
  const inputs = Object.entries(more.inputs ?? {}).map(([name, value]): [string, PlannedInput] => [
    name,
    { type: Array.isArray(value) ? 'list' : 'string', value, given: true },
  ]);
  const secrets = Object.entries(more.secretSources ?? {}).map(([name, from]): [string, PlannedInput] => [
    name,
    { type: 'secret', from },
  ]);
  const services = Object.entries(more.service ?? {}).map(([name, value]): [string, PlannedInput] => [
    name,
    { type: 'service', value, given: true },
  ]);
  return makePlan({
    runbook,
    inputs: Object.fromEntries([...inputs, ...secrets, ...services]),
    secrets: more.secrets ?? {},
    steps: more.steps ?? fakeSteps(world),
    schemas: fakeSchemas(),
    ...(more.inventory === undefined ? {} : { inventory: more.inventory }),
    services: more.services ?? fakeServices().services,
    options: {
      runId: 'run-1',
      tool: '1.2.3',
      user: 'ada',
      lockNamespace: 'runbook',
      now: Date.UTC(2024, 0, 2, 3, 4, 5),
      ...more.options,
    },
    signal: more.signal ?? new AbortController().signal,
  });
}

/** 'restart change: why', a line for each, indented by depth. */
export function lines(forecast: readonly Forecast[]): readonly string[] {
  return forecast.map(
    ({ id, depth, status, reason }) =>
      `${'  '.repeat(depth)}${id} ${status}${reason === undefined ? '' : `: ${reason}`}`,
  );
}
