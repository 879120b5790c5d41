import type { Json, JsonObject } from '../../engine/json.ts';
import type { KubernetesObject, PatchOptions } from '../../services/kubernetes.ts';
import { annotation, countAt, isOwnedBy } from './fields.ts';
import { OPERATION } from './rollout-verdict.ts';
import { isObject } from './touched.ts';

const NUMBER = 'deployment.kubernetes.io/revision';

/** A pod template that a workload had, or has. */
export interface HistoryEntry {
  readonly number: number;
  /** Its ReplicaSet or ControllerRevision. */
  readonly revision: KubernetesObject;
}

/** The revisions that are kept, the oldest first, and the one in place. */
export function revisionHistory(
  workload: KubernetesObject,
  revisions: readonly KubernetesObject[],
): { readonly entries: readonly HistoryEntry[]; readonly current: HistoryEntry | undefined } {
  const entries = revisions
    .filter((revision) => isOwnedBy(revision, workload.metadata.uid))
    .map((revision) => ({ number: numberOf(revision), revision }))
    .sort((a, b) => a.number - b.number);
  if (workload.kind !== 'Deployment') return { entries, current: entries.at(-1) };
  const wanted = Number(annotation(workload, NUMBER) ?? Number.NaN);
  return { entries, current: entries.find((entry) => entry.number === wanted) };
}

/** The patch that puts a revision's pod template in place. `operation`: null takes our mark off, undefined leaves it alone. */
export function patchToRevision(
  workload: KubernetesObject,
  { revision }: HistoryEntry,
  operation?: string | null,
): Omit<PatchOptions, 'resourceVersion'> {
  const mark =
    operation === undefined ? undefined : { metadata: { annotations: { [OPERATION]: operation } } };
  // A ControllerRevision holds the patch itself, with its own directive to replace the template.
  if (workload.kind !== 'Deployment')
    return { type: 'strategic', body: { ...(revision.data ?? {}), ...mark } };
  const template = withoutHash(revision.spec?.template ?? {});
  return { type: 'strategic', body: { ...mark, spec: { template: { ...template, $patch: 'replace' } } } };
}

function numberOf(revision: KubernetesObject): number {
  const written = annotation(revision, NUMBER);
  return written === undefined ? countAt(revision, 'revision') : Number(written);
}

// The controller adds the hash to its ReplicaSets; in a Deployment it would select nothing.
function withoutHash(template: Json): JsonObject {
  if (!isObject(template)) return {};
  const { metadata } = template;
  if (!isObject(metadata) || !isObject(metadata.labels)) return template;
  const { 'pod-template-hash': _, ...labels } = metadata.labels;
  return { ...template, metadata: { ...metadata, labels } };
}
