import type { ReadContext } from '../../engine/step-type.ts';
import { StepError } from '../../engine/step-type.ts';
import type { KubernetesObject } from '../../services/kubernetes.ts';
import { kinds } from '../../services/kubernetes.ts';
import { call, missing, noMatch, requireNamespace } from './errors.ts';
import { annotation, at, condition, countAt, isReady, listAt, textAt } from './fields.ts';
import { podTrouble } from './pod-trouble.ts';
import { podRevision } from './rollout-verdict.ts';
import { requireTarget } from './target.ts';

/** Pods of a selector, sorted by name. None is an error, unless the author allows it. */
export async function listMatching(
  ctx: ReadContext,
  query: {
    readonly namespace: string;
    readonly selector: string;
    readonly completed?: boolean;
    readonly allowNone?: boolean;
  },
): Promise<readonly KubernetesObject[]> {
  requireTarget(query);
  const { namespace, selector } = query;
  const found = await listPods(ctx, query);
  const kept = found.filter((pod) => query.completed === true || textAt(pod.status, 'phase') !== 'Succeeded');
  if (kept.length === 0) {
    await requireNamespace(ctx.services.kubernetes, namespace);
    if (query.allowNone !== true) throw noMatch('pods', selector, namespace);
  }
  return [...kept].sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
}

/** Names of the pods of a selector that are to answer, sorted; what ends is left out. None is an error. */
export async function answeringPods(
  ctx: ReadContext,
  query: {
    readonly namespace: string;
    readonly selector: string;
    /** Also those that do not run yet, or not any more. */
    readonly idle?: boolean;
  },
): Promise<readonly string[]> {
  const idle = query.idle === true;
  const names = (await listPods(ctx, query))
    .filter(({ metadata, status }) => {
      const phase = textAt(status, 'phase');
      const fits = idle ? phase !== 'Succeeded' : phase === 'Running';
      return fits && metadata.deletionTimestamp === undefined;
    })
    .map(({ metadata }) => metadata.name);
  if (names.length === 0) throw noMatch(idle ? 'pods' : 'running pods', query.selector, query.namespace);
  return names.sort();
}

async function listPods(
  ctx: ReadContext,
  { namespace, selector }: { readonly namespace: string; readonly selector: string },
): Promise<readonly KubernetesObject[]> {
  return await call({ verb: 'list', what: `pods in ${namespace}` }, () =>
    ctx.services.kubernetes.list(kinds.pods, { namespace, labelSelector: selector }),
  );
}

/** Exactly one of `pod` and `selector`: the named pod, or every pod that matches. */
export async function podsFor(
  ctx: ReadContext,
  input: {
    readonly namespace: string;
    readonly pod?: string | undefined;
    readonly selector?: string | undefined;
  },
): Promise<readonly KubernetesObject[]> {
  const { namespace, pod, selector } = input;
  if (pod === undefined && selector !== undefined) return await listMatching(ctx, { namespace, selector });
  if (pod === undefined || selector !== undefined)
    throw new StepError('invalid-input', 'Give either pod or selector.', { outcome: 'not-applied' });
  requireTarget({ namespace, pod });
  const ref = { kind: kinds.pods, namespace, name: pod };
  const found = await call({ verb: 'get', what: `pod ${namespace}/${pod}` }, () =>
    ctx.services.kubernetes.get(ref),
  );
  if (found === undefined) throw await missing(ctx.services.kubernetes, ref);
  return [found];
}

/** For `check`: exactly one of two fields. */
export function eitherProblem(
  input: object,
  fields: readonly [string, string],
): readonly { readonly path: readonly string[]; readonly message: string }[] {
  const given = fields.filter((field) => at(input, field) !== undefined);
  if (given.length === 1) return [];
  return [
    {
      path: [given.length === 0 ? fields[0] : fields[1]],
      message: `Give either ${fields[0]} or ${fields[1]}.`,
    },
  ];
}

/** The container that was asked for, or the only sensible one; several without a default are an error that names them. */
export function containerOf(pod: KubernetesObject, asked: string | undefined): string {
  const names = [...listAt(pod.spec, 'containers'), ...listAt(pod.spec, 'initContainers')].map((item) =>
    textAt(item, 'name'),
  );
  const containers = listAt(pod.spec, 'containers').map((item) => textAt(item, 'name'));
  const preferred = asked ?? annotation(pod, 'kubectl.kubernetes.io/default-container');
  const chosen = preferred ?? (containers.length === 1 ? containers[0] : undefined);
  if (chosen !== undefined && names.includes(chosen)) return chosen;
  const { namespace, name } = pod.metadata;
  throw new StepError(
    'container-needed',
    chosen === undefined
      ? `Pod ${namespace}/${name} has several containers.`
      : `Pod ${namespace}/${name} has no container '${chosen}'.`,
    { outcome: 'not-applied', hint: `Write container: one of ${names.join(', ')}.` },
  );
}

export interface PodSummary {
  name: string;
  uid: string;
  phase: string;
  ready: boolean;
  terminating: boolean;
  restarts: number;
  reason: string;
  node: string;
  ip: string;
  revision: string;
  owner: string;
  createdAt: string;
  labels: { [name: string]: string };
  containers: {
    name: string;
    image: string;
    ready: boolean;
    restarts: number;
    state: string;
    reason: string;
  }[];
}

export function podSummary(pod: KubernetesObject): PodSummary {
  const { name, uid, labels, creationTimestamp, deletionTimestamp, ownerReferences } = pod.metadata;
  const containers = listAt(pod.spec, 'containers').map((item) => containerSummary(pod, item));
  const owner = ownerReferences?.find((item) => item.controller === true);
  const ready = isReady(pod);
  return {
    name,
    uid,
    phase: textAt(pod.status, 'phase') || 'Unknown',
    ready,
    terminating: deletionTimestamp !== undefined,
    restarts: containers.reduce((sum, item) => sum + item.restarts, 0),
    reason: ready ? '' : reasonOf(pod, containers),
    node: textAt(pod.spec, 'nodeName'),
    ip: textAt(pod.status, 'podIP'),
    revision: podRevision(pod),
    owner: owner === undefined ? '' : `${owner.kind}/${owner.name}`,
    createdAt: creationTimestamp ?? '',
    labels: { ...labels },
    containers,
  };
}

function containerSummary(pod: KubernetesObject, container: unknown): PodSummary['containers'][number] {
  const name = textAt(container, 'name');
  const status = listAt(pod.status, 'containerStatuses').find((item) => textAt(item, 'name') === name);
  const state = ['running', 'waiting', 'terminated'].find((item) => at(status, 'state', item) !== undefined);
  return {
    name,
    image: textAt(container, 'image'),
    ready: at(status, 'ready') === true,
    restarts: countAt(status, 'restartCount'),
    state: state ?? 'waiting',
    reason: state === undefined ? '' : textAt(status, 'state', state, 'reason'),
  };
}

function reasonOf(pod: KubernetesObject, containers: PodSummary['containers']): string {
  const trouble = podTrouble(pod);
  if (trouble?.code === 'unschedulable') return 'Unschedulable';
  if (pod.metadata.deletionTimestamp !== undefined) return 'Terminating';
  const initReason = listAt(pod.status, 'initContainerStatuses')
    .map((item) => textAt(item, 'state', 'waiting', 'reason'))
    .find((reason) => reason !== '');
  const reason = containers.find((item) => item.reason !== '')?.reason;
  return (
    initReason ??
    reason ??
    (textAt(pod.status, 'reason') || textAt(condition(pod, 'Ready'), 'reason') || 'NotReady')
  );
}
