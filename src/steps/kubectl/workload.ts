import type { Access, Before, ReadContext, Resource } from '../../engine/step-type.ts';
import { StepError } from '../../engine/step-type.ts';
import type { Kind, KubernetesObject, KubernetesReader, ObjectRef } from '../../services/kubernetes.ts';
import { kinds } from '../../services/kubernetes.ts';
import { call, mustGet } from './errors.ts';
import { annotation, at, countAt, selectorOf, textAt } from './fields.ts';
import { counters, isOnDelete, templateContainers } from './rollout-verdict.ts';
import { access, nameOf, objectPath, reads, requireTarget, writes } from './target.ts';
import type { FieldPath } from './touched.ts';
import { witness } from './witness.ts';

export interface WorkloadInput {
  readonly kind: 'Deployment' | 'StatefulSet' | 'DaemonSet';
  readonly name: string;
  readonly namespace: string;
}

const workloadKinds: Readonly<Record<WorkloadInput['kind'], Kind>> = {
  Deployment: kinds.deployments,
  StatefulSet: kinds.statefulSets,
  DaemonSet: kinds.daemonSets,
};

export function workloadRef(input: WorkloadInput): ObjectRef {
  requireTarget(input);
  return { kind: workloadKinds[input.kind], namespace: input.namespace, name: input.name };
}

export function isWorkload(kind: string): kind is WorkloadInput['kind'] {
  return Object.hasOwn(workloadKinds, kind);
}

/** Where revisions of a workload are kept. */
export function revisionKind(kind: WorkloadInput['kind']): Kind {
  return kind === 'Deployment' ? kinds.replicaSets : kinds.controllerRevisions;
}

export async function readWorkload(
  ctx: { readonly services: { readonly kubernetes: KubernetesReader } },
  input: WorkloadInput,
): Promise<KubernetesObject> {
  return await mustGet(ctx.services.kubernetes, workloadRef(input));
}

/** Its own pods are what a change of the workload touches, besides itself. */
export function workloadWrites(input: WorkloadInput): readonly Resource[] {
  return writes(objectPath(input.namespace, input.kind, input.name), objectPath(input.namespace, 'pods'));
}

export function workloadReads(input: WorkloadInput): readonly Resource[] {
  return reads(objectPath(input.namespace, input.kind, input.name), objectPath(input.namespace, 'pods'));
}

/** What it takes to wait for a rollout and to say why it failed. */
export function rolloutAccess(input: WorkloadInput): readonly Access[] {
  const { namespace } = input;
  return [
    ...access(['get', 'list', 'watch'], input.kind, { namespace, name: input.name }),
    ...access(['list', 'watch'], input.kind === 'Deployment' ? 'replicasets' : 'controllerrevisions', {
      namespace,
    }),
    ...access(['list', 'watch'], 'pods', { namespace }),
    ...access(['get'], 'pods', { namespace, subresource: 'log' }),
    ...access(['list'], 'events', { namespace }),
  ];
}

/** `rolloutAccess`, and what a change of the workload and its prediction need. */
export function changeAccess(input: WorkloadInput): readonly Access[] {
  return [
    ...rolloutAccess(input),
    ...access(['patch'], input.kind, { namespace: input.namespace, name: input.name }),
    ...access(['list'], 'horizontalpodautoscalers', { namespace: input.namespace }),
  ];
}

/** Refuses to roll out what would never get to its pods. */
export function requireRollable(workload: KubernetesObject): void {
  const { namespace, name } = workload.metadata;
  const what = nameOf({ kind: workload.kind, namespace, name });
  if (isOnDelete(workload))
    throw new StepError(
      'on-delete',
      `${what} has the update strategy OnDelete: its pods change only when somebody deletes them, so a rollout would change nothing.`,
      {
        outcome: 'not-applied',
        hint: 'Use the runbook restart-service: it deletes the pods one by one and proves each new one (OpenBao: standbys first, then step down).',
      },
    );
  if (workload.spec?.paused === true)
    throw new StepError('paused', `${what} is paused: it takes up no change of its pods.`, {
      outcome: 'not-applied',
      hint: `Find out who paused it; then: kubectl -n ${namespace} rollout resume deployment/${name}`,
    });
}

/** The autoscaler that owns the replica count, if there is one; undefined also when it may not be read. */
export async function autoscalerOf(
  kubernetes: KubernetesReader,
  workload: KubernetesObject,
): Promise<string | undefined> {
  const { namespace, name } = workload.metadata;
  if (namespace === undefined) return undefined;
  try {
    const all = await kubernetes.list(kinds.horizontalPodAutoscalers, { namespace });
    return all.find(
      (hpa) =>
        textAt(hpa.spec, 'scaleTargetRef', 'kind') === workload.kind &&
        textAt(hpa.spec, 'scaleTargetRef', 'name') === name,
    )?.metadata.name;
  } catch {
    return undefined;
  }
}

/** Facts worth a line in the plan: who else writes to the object. */
export async function ownerNotes(
  kubernetes: KubernetesReader,
  object: KubernetesObject,
): Promise<readonly string[]> {
  const labels = object.metadata.labels ?? {};
  const keys = [...Object.keys(labels), ...Object.keys(object.metadata.annotations ?? {})];
  const notes: string[] = [];
  const autoscaler = await autoscalerOf(kubernetes, object);
  if (autoscaler !== undefined)
    notes.push(`HorizontalPodAutoscaler ${autoscaler} sets its replica count and may change it again`);
  if (keys.some((key) => key.startsWith('argocd.argoproj.io/')) || labels['argocd.argoproj.io/instance'])
    notes.push('Argo CD manages it and may revert the change at its next sync');
  const flux = keys.find((key) => /^(kustomize|helm)\.toolkit\.fluxcd\.io\//.test(key));
  if (flux !== undefined)
    notes.push(
      `Flux (${flux.startsWith('helm') ? 'HelmRelease' : 'Kustomization'}) manages it and may revert the change`,
    );
  if (labels['app.kubernetes.io/managed-by'] === 'Helm' && flux === undefined) {
    const release = annotation(object, 'meta.helm.sh/release-name');
    notes.push(`Helm release ${release ?? 'unknown'} manages it: the next upgrade may revert the change`);
  }
  return notes;
}

/** How long its pods may take to be replaced: from next to nothing up to the whole start-up budget of each wave. */
export function rolloutDuration(workload: KubernetesObject): { readonly min: number; readonly max: number } {
  const { wanted } = counters(workload);
  const inOrder =
    workload.kind === 'StatefulSet' && textAt(workload.spec, 'podManagementPolicy') !== 'Parallel';
  const waves = wanted === 0 ? 0 : inOrder ? wanted : Math.min(wanted, 4);
  const start = Math.max(30, ...templateContainers(workload).map(startBudget));
  const stop = countAt(workload.spec, 'template', 'spec', 'terminationGracePeriodSeconds') || 30;
  return { min: waves * 2000, max: waves * (start + stop) * 1000 };
}

// Seconds until a container must serve, by its own probes.
function startBudget(container: unknown): number {
  const name = ['startupProbe', 'readinessProbe'].find((probe) => at(container, probe) !== undefined);
  if (name === undefined) return 30;
  const tries = countAt(container, name, 'failureThreshold') || 3;
  const period = countAt(container, name, 'periodSeconds') || 10;
  return countAt(container, name, 'initialDelaySeconds') + tries * period;
}

export async function captureWorkload(
  ctx: ReadContext,
  input: WorkloadInput,
  capture: {
    readonly touched: readonly FieldPath[];
    state(workload: KubernetesObject): Before['state'];
    guard?(workload: KubernetesObject): void;
  },
): Promise<Before> {
  const workload = await readWorkload(ctx, input);
  capture.guard?.(workload);
  return { state: capture.state(workload), witnesses: [witness(workload, capture.touched)] };
}

/** Pods of a workload as they are now. */
export async function podsOf(
  kubernetes: KubernetesReader,
  workload: KubernetesObject,
): Promise<readonly KubernetesObject[]> {
  const namespace = workload.metadata.namespace ?? '';
  return await call({ verb: 'list', what: `pods in ${namespace}` }, () =>
    kubernetes.list(kinds.pods, { namespace, labelSelector: selectorOf(workload) }),
  );
}

export function describeWorkload(input: WorkloadInput): string {
  return nameOf(input);
}
