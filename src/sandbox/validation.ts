import type { Kind } from '../services/kubernetes.ts';
import { invalid } from './api-error.ts';
import { canonical, type Selector } from './objects.ts';
import { type Fields, isFields } from './patch.ts';
import { selects } from './selector.ts';

const NAME = /^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/;
const WORKLOADS = new Set(['Deployment', 'ReplicaSet', 'StatefulSet', 'DaemonSet']);
const STATEFUL_SET_MUTABLE = new Set([
  'replicas',
  'ordinals',
  'template',
  'updateStrategy',
  'revisionHistoryLimit',
  'persistentVolumeClaimRetentionPolicy',
  'minReadySeconds',
]);

function get(value: unknown, ...path: readonly string[]): unknown {
  let inner = value;
  for (const part of path) inner = isFields(inner) ? inner[part] : undefined;
  return inner;
}

function checkWorkload(spec: unknown, fail: (why: string) => Error): void {
  const selector = get(spec, 'selector');
  if (!isFields(selector)) throw fail('spec.selector: Required value');
  const labels = get(spec, 'template', 'metadata', 'labels');
  if (!selects(selector as Selector, isFields(labels) ? (labels as Record<string, string>) : {}))
    throw fail('spec.template.metadata.labels: Invalid value: `selector` does not match template `labels`');
  const replicas = get(spec, 'replicas');
  if (replicas !== undefined && (typeof replicas !== 'number' || replicas < 0 || !Number.isInteger(replicas)))
    throw fail(
      `spec.replicas: Invalid value: ${JSON.stringify(replicas)}: must be greater than or equal to 0`,
    );
  checkContainers(get(spec, 'template', 'spec'), 'spec.template.spec', fail);
  if (get(spec, 'strategy', 'type') === 'Recreate' && get(spec, 'strategy', 'rollingUpdate') !== undefined)
    throw fail(
      "spec.strategy.rollingUpdate: Forbidden: may not be specified when strategy `type` is 'Recreate'",
    );
}

function checkContainers(spec: unknown, path: string, fail: (why: string) => Error): void {
  const containers = get(spec, 'containers');
  if (!Array.isArray(containers) || containers.length === 0) throw fail(`${path}.containers: Required value`);
  const names = new Set<unknown>();
  containers.forEach((container: unknown, at) => {
    const name = get(container, 'name');
    if (typeof name !== 'string' || name === '') throw fail(`${path}.containers[${at}].name: Required value`);
    if (names.has(name)) throw fail(`${path}.containers[${at}].name: Duplicate value: "${name}"`);
    names.add(name);
    if (typeof get(container, 'image') !== 'string')
      throw fail(`${path}.containers[${at}].image: Required value`);
  });
}

function checkUpdate(
  kind: Kind,
  change: { before: Fields; after: Fields },
  fail: (why: string) => Error,
): void {
  const before = get(change.before, 'spec');
  const after = get(change.after, 'spec');
  const same = (...path: readonly string[]) =>
    canonical(get(before, ...path)) === canonical(get(after, ...path));
  if (WORKLOADS.has(kind.kind) && !same('selector'))
    throw fail(`spec.selector: Invalid value: ${JSON.stringify(get(after, 'selector'))}: field is immutable`);
  if (kind.kind === 'StatefulSet' && isFields(after)) {
    const moved = Object.keys(after).some((key) => !STATEFUL_SET_MUTABLE.has(key) && !same(key));
    if (moved)
      throw fail(
        "spec: Forbidden: updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden",
      );
  }
  if (kind.kind === 'Pod' && isFields(after)) {
    const images = (spec: unknown) =>
      canonical({
        ...(isFields(spec) ? spec : {}),
        containers: stripped(spec, 'containers'),
        initContainers: stripped(spec, 'initContainers'),
        tolerations: undefined,
      });
    if (images(before) !== images(after))
      throw fail(
        'spec: Forbidden: pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)',
      );
  }
  const immutable = (kind.kind === 'Secret' || kind.kind === 'ConfigMap') && change.before.immutable === true;
  if (immutable && canonical(change.before.data) !== canonical(change.after.data))
    throw fail('data: Forbidden: field is immutable when `immutable` is set');
}

function stripped(spec: unknown, list: string): unknown {
  const containers = get(spec, list);
  return Array.isArray(containers)
    ? containers.map((container: unknown) => ({
        ...(isFields(container) ? container : {}),
        image: undefined,
      }))
    : undefined;
}

/** Refuses (422) what the API server refuses: the common mistakes, not all of its rules. */
export function validate(kind: Kind, object: Fields, before: Fields | undefined): void {
  const name = String(get(object, 'metadata', 'name') ?? '');
  const fail = (why: string) => invalid(kind, name, why);
  if (!NAME.test(name) || name.length > 253)
    throw fail(
      `metadata.name: Invalid value: ${JSON.stringify(name)}: a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character`,
    );
  for (const block of ['labels', 'annotations'] as const) {
    const values = get(object, 'metadata', block);
    if (isFields(values))
      for (const [key, value] of Object.entries(values))
        if (typeof value !== 'string')
          throw fail(`metadata.${block}: Invalid value: "${key}": must be a string`);
  }
  if (WORKLOADS.has(kind.kind)) checkWorkload(object.spec, fail);
  if (kind.kind === 'Pod') checkContainers(object.spec, 'spec', fail);
  if (before !== undefined) checkUpdate(kind, { before, after: object }, fail);
}
