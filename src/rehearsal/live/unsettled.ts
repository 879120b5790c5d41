import type { KubernetesObject } from '../../services/kubernetes.ts';

interface Status {
  readonly readyReplicas?: number;
  readonly replicas?: number;
  readonly updatedReplicas?: number;
  readonly currentRevision?: string;
  readonly updateRevision?: string;
  readonly desiredNumberScheduled?: number;
  readonly numberReady?: number;
  readonly updatedNumberScheduled?: number;
  readonly conditions?: readonly {
    readonly type: string;
    readonly status: string;
    readonly message?: string;
  }[];
}

function ready(is: number, wanted: number): readonly string[] {
  return is < wanted ? [`${is} of ${wanted} pods are ready there; all of them are to be here.`] : [];
}

function rolling(isThrough: boolean): readonly string[] {
  return isThrough ? [] : ['a rollout of it is not through there; here it goes on to its end.'];
}

/** In what a workload is not settled in its cluster; in the sandbox it is, as far as it can be. */
export function workloadSentences({ kind, spec = {}, status = {} }: KubernetesObject): readonly string[] {
  const is = status as Status;
  if (kind === 'DaemonSet') {
    const wanted = is.desiredNumberScheduled ?? 0;
    return [...ready(is.numberReady ?? 0, wanted), ...rolling((is.updatedNumberScheduled ?? 0) >= wanted)];
  }
  const wanted = Number(spec.replicas ?? 1);
  const { replicas = 0, updatedReplicas = 0, currentRevision, updateRevision } = is;
  const isThrough =
    kind === 'StatefulSet'
      ? currentRevision === updateRevision || updatedReplicas >= wanted
      : updatedReplicas >= wanted && replicas <= wanted;
  return [...ready(is.readyReplicas ?? 0, wanted), ...rolling(isThrough)];
}

/** Of a Job that has not ended. */
export function jobSentence({ status = {} }: KubernetesObject): readonly string[] {
  const { conditions = [] } = status as Status;
  return conditions.some(({ type, status: is }) => /^(Complete|Failed)$/.test(type) && is === 'True')
    ? []
    : ['it has not ended there; here it begins anew.'];
}

/** Of pods that a world could not bring up, for instance because its nodes are too small for them. */
export function podSentences(pods: readonly KubernetesObject[]): readonly string[] {
  return pods.flatMap(({ metadata, status = {} }) => {
    const { conditions = [] } = status as Status;
    if (conditions.some(({ type, status: is }) => type === 'Ready' && is === 'True')) return [];
    const why = conditions.find(({ status: is, message }) => is === 'False' && message !== undefined);
    return [`Pod ${metadata.namespace}/${metadata.name}: ${why?.message ?? 'it does not become ready'}`];
  });
}
