import { setMaxListeners } from 'node:events';
import type { Json } from '../../src/engine/json.ts';
import type { Progress, RunContext } from '../../src/engine/step-type.ts';
import type { Services } from '../../src/services/services.ts';
import { keepsakeRig } from './keepsake-rig.ts';
import { ManualClock } from './manual-clock.ts';
import { FakeCluster } from './steps-kubernetes.ts';

export interface StepRig {
  readonly ctx: RunContext;
  readonly clock: ManualClock;
  readonly cluster: FakeCluster;
  readonly progress: Progress[];
  readonly checkpoints: Json[];
  readonly stop: AbortController;
}

/** Everything a step sees, with a fake cluster; other services are given by the test, and fail when they are not. */
export function stepRig(services: Partial<Services> = {}): StepRig {
  const clock = new ManualClock();
  const cluster = new FakeCluster();
  const progress: Progress[] = [];
  const checkpoints: Json[] = [];
  const stop = new AbortController();
  setMaxListeners(0, stop.signal);
  const absent = new Proxy(
    {},
    {
      get(_, name) {
        throw new Error(`the step reached for a service that this test did not give: ${String(name)}`);
      },
    },
  );
  const all = {
    clock,
    kubernetes: cluster,
    files: absent,
    http: absent,
    openbao: absent,
    process: absent,
    directory: absent,
    ...services,
  } as Services;
  const ctx: RunContext = {
    services: all,
    signal: stop.signal,
    runId: 'run-1',
    instance: 'step',
    operationKey: 'op-1',
    deadline: clock.now() + 600_000,
    progress: (item) => void progress.push(item),
    checkpoint: async (data) => void checkpoints.push(data),
    ...keepsakeRig(),
  };
  return { ctx, clock, cluster, progress, checkpoints, stop };
}
