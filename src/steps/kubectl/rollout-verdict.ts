import type { KubernetesObject } from '../../services/kubernetes.ts';
import { annotation, condition, countAt, isOwnedBy, isReady, listAt, textAt } from './fields.ts';
import { unproven } from './pod-proof.ts';
import type { PodTrouble } from './pod-trouble.ts';
import { podTrouble } from './pod-trouble.ts';

export const OPERATION = 'runbook.io/op';
const REVISION = 'deployment.kubernetes.io/revision';

export type RolloutFailure =
  | 'progress-deadline-exceeded'
  | 'crash-loop'
  | 'image-pull'
  | 'container-config'
  | 'unschedulable'
  | 'quota'
  | 'pods-refused'
  | 'paused'
  | 'superseded'
  | 'awaiting-delete'
  | 'deleted';

/** What can be seen of a rollout at one moment. */
export interface RolloutSight {
  readonly workload: KubernetesObject | undefined;
  /** Pods that the workload's selector matches. */
  readonly pods: readonly KubernetesObject[];
  /** ReplicaSets of a Deployment, ControllerRevisions of the others. */
  readonly revisions: readonly KubernetesObject[];
  /** What the API server said when it refused to create pods; the newest last. */
  readonly refusals: readonly string[];
  /** How many milliseconds something has been seen without a break. */
  standing(trouble: string): number;
}

export interface RolloutGoal {
  readonly uid: string;
  /** Generation of the workload after our change: an older status says nothing about it. */
  readonly generation: number;
  /** The pod template must carry it as `runbook.io/op`. */
  readonly operation?: string;
  /** Only the number of pods matters, whatever revision they have: for scaling. */
  readonly sizeOnly?: boolean;
}

export type RolloutVerdict =
  | { readonly state: 'complete'; readonly text: string }
  | { readonly state: 'progressing'; readonly text: string }
  | {
      readonly state: 'failed';
      readonly code: RolloutFailure;
      readonly text: string;
      readonly trouble?: PodTrouble;
    };

/** How long something may stand before it is called a failure, in milliseconds. */
const grace: Readonly<Partial<Record<RolloutFailure, number>>> = {
  'image-pull': 20_000,
  'container-config': 15_000,
  unschedulable: 60_000,
  quota: 10_000,
  'pods-refused': 10_000,
};

/** Names the state of a rollout. Complete only when the controller has seen our generation and every pod of it serves. */
export function judgeRollout(sight: RolloutSight, goal: RolloutGoal): RolloutVerdict {
  const { workload } = sight;
  if (workload === undefined || workload.metadata.uid !== goal.uid)
    return failed('deleted', workload === undefined ? 'it was deleted' : 'it was deleted and created again');
  if (goal.operation !== undefined && templateAnnotation(workload, OPERATION) !== goal.operation)
    return failed('superseded', 'somebody changed its pod template since; the pods now follow that change');
  if (countAt(workload.status, 'observedGeneration') < goal.generation)
    return { state: 'progressing', text: 'waiting until its controller has seen the change' };
  const gap = missingPods(workload, sight, goal);
  if (gap === undefined)
    return yetUnproven(sight, workload, goal) ?? { state: 'complete', text: summary(workload) };
  if (goal.sizeOnly !== true && workload.kind === 'Deployment' && workload.spec?.paused === true)
    return failed('paused', `it is paused, with ${gap}`);
  if (
    goal.sizeOnly !== true &&
    isOnDelete(workload) &&
    counters(workload).updated < counters(workload).wanted
  )
    return failed(
      'awaiting-delete',
      `${gap}; it replaces the others only when somebody deletes them (OnDelete)`,
    );
  const late = textAt(condition(workload, 'Progressing'), 'reason') === 'ProgressDeadlineExceeded';
  const trouble = worstTrouble(sight, workload, late) ?? refusedPods(sight, workload, late);
  if (trouble !== undefined) return trouble;
  if (late)
    return failed('progress-deadline-exceeded', `no progress within its progressDeadlineSeconds: ${gap}`);
  return { state: 'progressing', text: gap };
}

/** Hash of the revision that the pods should have; undefined while the controller has not made it. */
export function currentRevision(
  workload: KubernetesObject,
  revisions: readonly KubernetesObject[],
): string | undefined {
  if (workload.kind === 'StatefulSet') return textAt(workload.status, 'updateRevision') || undefined;
  const own = revisions.filter((revision) => isOwnedBy(revision, workload.metadata.uid));
  if (workload.kind === 'Deployment') {
    const wanted = annotation(workload, REVISION);
    const set = own.find((item) => wanted !== undefined && annotation(item, REVISION) === wanted);
    return set?.metadata.labels?.['pod-template-hash'];
  }
  const newest = own.reduce<KubernetesObject | undefined>(
    (best, item) =>
      best === undefined || countAt(item, 'revision') > countAt(best, 'revision') ? item : best,
    undefined,
  );
  // Named after its workload and the hash that its pods carry; some clusters label it with the hash, too.
  return (
    newest?.metadata.labels?.['controller-revision-hash'] ??
    newest?.metadata.name.slice(workload.metadata.name.length + 1)
  );
}

export function podRevision(pod: KubernetesObject): string {
  const labels = pod.metadata.labels ?? {};
  return labels['pod-template-hash'] ?? labels['controller-revision-hash'] ?? '';
}

export function templateAnnotation(workload: KubernetesObject, name: string): string | undefined {
  return textAt(workload.spec, 'template', 'metadata', 'annotations', name) || undefined;
}

/** Pods of such a workload change only when somebody deletes them. */
export function isOnDelete(workload: KubernetesObject): boolean {
  return textAt(workload.spec, 'updateStrategy', 'type') === 'OnDelete';
}

/** Counters of the three kinds under one name. */
export function counters(workload: KubernetesObject): {
  readonly wanted: number;
  readonly updated: number;
  readonly ready: number;
  readonly available: number;
  readonly present: number;
} {
  const { status, spec } = workload;
  if (workload.kind === 'DaemonSet')
    return {
      wanted: countAt(status, 'desiredNumberScheduled'),
      updated: countAt(status, 'updatedNumberScheduled'),
      ready: countAt(status, 'numberReady'),
      available: countAt(status, 'numberAvailable'),
      present: countAt(status, 'currentNumberScheduled'),
    };
  return {
    wanted: typeof spec?.replicas === 'number' ? spec.replicas : 1,
    updated: countAt(status, 'updatedReplicas'),
    ready: countAt(status, 'readyReplicas'),
    available: countAt(status, 'availableReplicas'),
    present: countAt(status, 'replicas'),
  };
}

function missingPods(workload: KubernetesObject, sight: RolloutSight, goal: RolloutGoal): string | undefined {
  const { wanted, updated, ready, available, present } = counters(workload);
  const partition = countAt(workload.spec, 'updateStrategy', 'rollingUpdate', 'partition');
  const wantedNew = Math.max(0, wanted - partition);
  if (goal.sizeOnly === true) {
    if (present !== wanted) return `${present} pods, ${wanted} wanted`;
  } else {
    if (updated < wantedNew) return `${updated} of ${wantedNew} pods updated`;
    if (partition === 0 && present > updated)
      return `${present - updated} old pods still to end${notReady(sight, workload)}`;
  }
  if (ready < wanted) return `${ready} of ${wanted} pods ready${notReady(sight, workload)}`;
  if (available < wanted) return `${available} of ${wanted} pods available`;
  return undefined;
}

function yetUnproven(
  sight: RolloutSight,
  workload: KubernetesObject,
  goal: RolloutGoal,
): RolloutVerdict | undefined {
  if (goal.sizeOnly === true) return undefined;
  const minReady = countAt(workload.spec, 'minReadySeconds');
  for (const pod of newPods(sight, workload)) {
    const doubt = unproven(pod, minReady);
    if (doubt !== undefined && sight.standing(doubt.key) < doubt.lasting)
      return { state: 'progressing', text: doubt.text };
  }
  return undefined;
}

function notReady(sight: RolloutSight, workload: KubernetesObject): string {
  const names = newPods(sight, workload)
    .filter((pod) => !isReady(pod))
    .map((pod) => pod.metadata.name);
  return names.length === 0 ? '' : ` (waiting for ${names.slice(0, 3).join(', ')})`;
}

function newPods(sight: RolloutSight, workload: KubernetesObject): readonly KubernetesObject[] {
  const revision = currentRevision(workload, sight.revisions);
  return sight.pods.filter(
    (pod) =>
      pod.metadata.deletionTimestamp === undefined && revision !== undefined && podRevision(pod) === revision,
  );
}

function worstTrouble(
  sight: RolloutSight,
  workload: KubernetesObject,
  late: boolean,
): RolloutVerdict | undefined {
  for (const pod of newPods(sight, workload)) {
    const trouble = podTrouble(pod);
    if (trouble === undefined) continue;
    const allowed = late || trouble.final ? 0 : (grace[trouble.code] ?? 0);
    if (sight.standing(`${pod.metadata.uid} ${trouble.code}`) < allowed) continue;
    return { state: 'failed', code: trouble.code, text: trouble.text, trouble };
  }
  return undefined;
}

function refusedPods(
  sight: RolloutSight,
  workload: KubernetesObject,
  late: boolean,
): RolloutVerdict | undefined {
  const failure = condition(workload, 'ReplicaFailure');
  const said = textAt(failure, 'status') === 'True' ? textAt(failure, 'message') : sight.refusals.at(-1);
  if (said === undefined || said === '') return undefined;
  const code = /exceeded quota|quota/i.test(said) ? 'quota' : 'pods-refused';
  if (!late && sight.standing('refused') < (grace[code] ?? 0)) return undefined;
  return failed(code, `the API server refuses its pods: ${said}`);
}

/** Everything about a sight that has to stand for a while before it counts. */
export function troublesOf(sight: Omit<RolloutSight, 'standing'>): readonly string[] {
  const pods = sight.pods.flatMap((pod) => {
    const trouble = podTrouble(pod);
    const doubt = unproven(pod, countAt(sight.workload?.spec, 'minReadySeconds'));
    return [
      ...(trouble === undefined ? [] : [`${pod.metadata.uid} ${trouble.code}`]),
      ...(doubt === undefined ? [] : [doubt.key]),
    ];
  });
  const refused = textAt(condition(sight.workload, 'ReplicaFailure'), 'status') === 'True';
  return refused || sight.refusals.length > 0 ? [...pods, 'refused'] : pods;
}

/** Containers of the pod template, for messages and estimates. */
export function templateContainers(workload: KubernetesObject): readonly unknown[] {
  return listAt(workload.spec, 'template', 'spec', 'containers');
}

function summary(workload: KubernetesObject): string {
  const { wanted, ready } = counters(workload);
  return wanted === 0 ? '0 pods wanted' : `${ready} of ${wanted} pods updated and ready`;
}

function failed(code: RolloutFailure, text: string): RolloutVerdict {
  return { state: 'failed', code, text };
}
