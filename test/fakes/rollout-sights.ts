import type { JsonObject } from '../../src/engine/json.ts';
import type { KubernetesObject } from '../../src/services/kubernetes.ts';
import type { RolloutGoal, RolloutSight } from '../../src/steps/kubectl/rollout-verdict.ts';

export const goal: RolloutGoal = { uid: 'u1', generation: 4 };

export function object(kind: string, parts: JsonObject): KubernetesObject {
  const metadata = { name: 'api', namespace: 'nvcf', uid: 'u1', resourceVersion: '1', generation: 4 };
  return {
    apiVersion: 'apps/v1',
    kind,
    ...parts,
    metadata: { ...metadata, ...(parts.metadata as object) },
  } as KubernetesObject;
}

export const owner = { kind: 'Deployment', name: 'api', uid: 'u1', controller: true };
export const revision = (number: string, hash: string) =>
  object('ReplicaSet', {
    metadata: {
      uid: `rs-${hash}`,
      annotations: { 'deployment.kubernetes.io/revision': number },
      labels: { 'pod-template-hash': hash },
      ownerReferences: [owner],
    },
  });

export function deployment(
  status: JsonObject,
  more: { spec?: JsonObject; op?: string } = {},
): KubernetesObject {
  const annotations = more.op === undefined ? {} : { 'runbook.io/op': more.op };
  return object('Deployment', {
    metadata: { annotations: { 'deployment.kubernetes.io/revision': '2' } },
    spec: { replicas: 3, template: { metadata: { annotations } }, ...more.spec },
    status: { observedGeneration: 4, ...status },
  });
}

export function pod(status: JsonObject, hash = 'new'): KubernetesObject {
  return object('Pod', {
    metadata: { name: 'api-new-1', uid: 'p1', labels: { 'pod-template-hash': hash } },
    status,
  });
}

export const waiting = (reason: string, more: JsonObject = {}): JsonObject => ({
  containerStatuses: [
    {
      name: 'main',
      image: 'reg/main:2',
      ready: false,
      restartCount: 0,
      state: { waiting: { reason, message: 'said why' } },
      ...more,
    },
  ],
});
export const progressing: JsonObject = {
  replicas: 3,
  updatedReplicas: 1,
  readyReplicas: 2,
  availableReplicas: 2,
};
export const done: JsonObject = { replicas: 3, updatedReplicas: 3, readyReplicas: 3, availableReplicas: 3 };
export const late: JsonObject = {
  ...progressing,
  conditions: [{ type: 'Progressing', status: 'False', reason: 'ProgressDeadlineExceeded' }],
};

export function sight(parts: Partial<RolloutSight>): RolloutSight {
  return {
    workload: deployment(progressing),
    pods: [],
    revisions: [revision('1', 'old'), revision('2', 'new')],
    refusals: [],
    standing: () => 0,
    ...parts,
  };
}

export const long = { standing: () => 3_600_000 };
