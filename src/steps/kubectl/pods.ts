import type { ReadStepType } from '../../engine/step-type.ts';
import type { KubectlPodsOutputs, KubectlPodsWith } from '../../generated/types.ts';
import { listMatching, podSummary } from './pod-list.ts';
import { access, objectPath, reads, targetProblems } from './target.ts';

export const pods: ReadStepType<KubectlPodsWith, KubectlPodsOutputs> = {
  type: 'kubectl.pods',
  effect: 'read',
  timeout: 60_000,
  describe: (input) => `pods ${input.selector} in ${input.namespace}`,
  resources: (input) => reads(objectPath(input.namespace, 'pods')),
  access: (input) => [
    ...access(['list'], 'pods', { namespace: input.namespace }),
    ...access(['get'], 'namespaces', { name: input.namespace }),
  ],
  check: targetProblems,

  async run(input, ctx) {
    const found = (await listMatching(ctx, input)).map(podSummary);
    const ready = found.filter((pod) => pod.ready).length;
    const restarts = found.reduce((sum, pod) => sum + pod.restarts, 0);
    return {
      pods: found,
      count: found.length,
      ready,
      restarts,
      summary: `${ready} of ${found.length} ready, ${restarts} ${restarts === 1 ? 'restart' : 'restarts'}`,
    };
  },
};
