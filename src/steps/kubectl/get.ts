import type { Json, JsonObject } from '../../engine/json.ts';
import type { ReadStepType } from '../../engine/step-type.ts';
import type { KubectlGetOutputs, KubectlGetWith } from '../../generated/types.ts';
import type { KubernetesObject } from '../../services/kubernetes.ts';
import { masked } from './mask.ts';
import { findObjects, queryAccess, queryName } from './object-list.ts';
import { eitherProblem } from './pod-list.ts';
import { objectPath, reads, targetProblems } from './target.ts';
import { isObject } from './touched.ts';

export const get: ReadStepType<KubectlGetWith, KubectlGetOutputs> = {
  type: 'kubectl.get',
  effect: 'read',
  timeout: 60_000,
  describe: (input) => `read ${queryName(input)}`,
  resources: (input) => reads(objectPath(input.namespace, input.kind, input.name)),
  access: queryAccess,
  check: (input) => [...targetProblems(input), ...eitherProblem(input, ['name', 'selector'])],

  async run(input, ctx) {
    const items = (await findObjects(ctx, input)).map(item);
    return { items, count: items.length, found: items.length > 0 };
  },
};

function item(object: KubernetesObject): KubectlGetOutputs['items'][number] {
  const { name, namespace, uid, generation, creationTimestamp } = object.metadata;
  const shown = masked(object as unknown as JsonObject);
  const metadata = isObject(shown.metadata) ? shown.metadata : {};
  return {
    kind: object.kind,
    apiVersion: object.apiVersion,
    name,
    namespace: namespace ?? '',
    uid,
    generation: generation ?? 0,
    createdAt: creationTimestamp ?? '',
    labels: texts(metadata.labels),
    annotations: texts(metadata.annotations),
    spec: part(shown.spec),
    status: part(shown.status),
    data: part(shown.data),
  };
}

function part(value: Json | undefined): { [key: string]: unknown } {
  return isObject(value) ? { ...value } : {};
}

function texts(value: Json | undefined): { [key: string]: string } {
  return Object.fromEntries(Object.entries(part(value)).map(([key, text]) => [key, String(text)]));
}
