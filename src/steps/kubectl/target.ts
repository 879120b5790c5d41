import type { Access, Resource } from '../../engine/step-type.ts';
import { StepError } from '../../engine/step-type.ts';
import { groupResource, knownKind, resourceName } from './kinds.ts';

type Problem = { readonly path: readonly string[]; readonly message: string; readonly hint?: string };
type KubernetesAccess = Extract<Access, { system: 'kubernetes' }>;

/** The fields of a `with` that say what a step works on. */
export interface Target {
  readonly namespace?: string | undefined;
  readonly kind?: string | undefined;
  readonly name?: string | undefined;
  readonly pod?: string | undefined;
  readonly selector?: string | undefined;
}

const label = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;
const subdomain = /^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/;
// A plan shows '‹known after x›' where a value is not known yet.
const unknown = /‹/;

/** What is wrong with a target. Nothing that is empty, blank or an option in disguise gets through. */
export function targetProblems(target: Target): readonly Problem[] {
  const problems: Problem[] = [];
  const { namespace, kind, selector } = target;
  if (namespace !== undefined && (!label.test(namespace) || namespace.length > 63))
    problems.push({ path: ['namespace'], message: `${quoted(namespace)} is not the name of a namespace.` });
  if (kind !== undefined && knownKind(kind) === undefined && !/^[a-z0-9-]+(\.[a-z0-9-]+)+$/.test(kind))
    problems.push({
      path: ['kind'],
      message: `${quoted(kind)} is not a kind that every cluster has.`,
      hint: 'Write a kind of an extension as plural.group: httproutes.gateway.networking.k8s.io.',
    });
  for (const field of ['name', 'pod'] as const) {
    const name = target[field];
    if (name === undefined || (subdomain.test(name) && name.length <= 253)) continue;
    const slash = name.indexOf('/');
    problems.push({
      path: [field],
      message: `${quoted(name)} is not the name of an object.`,
      ...(slash > 0 && {
        hint: `Write the name alone: ${field}: ${name.slice(slash + 1)}${field === 'name' ? `, with kind: ${name.slice(0, slash)}` : ''}.`,
      }),
    });
  }
  if (selector !== undefined && (selector.trim() === '' || /^\s*-/.test(selector)))
    problems.push({ path: ['selector'], message: `${quoted(selector)} is not a label selector.` });
  return problems;
}

/** Refuses a target before anything is asked of a cluster. */
export function requireTarget(target: Target): void {
  const [problem] = targetProblems(target);
  if (problem !== undefined)
    throw new StepError('invalid-target', `${problem.path.join('.')}: ${problem.message}`, {
      outcome: 'not-applied',
      ...(problem.hint !== undefined && { hint: problem.hint }),
    });
}

/** 'Deployment nvcf/nvcf-api', 'Namespace nvcf' */
export function nameOf(target: {
  readonly kind: string;
  readonly namespace?: string | undefined;
  readonly name: string;
}): string {
  return `${target.kind} ${target.namespace === undefined ? '' : `${target.namespace}/`}${target.name}`;
}

/** 'kubernetes/nvcf/deployments.apps/nvcf-api'; anything not known yet is `*`. */
export function objectPath(namespace: string | undefined, kind: string, name?: string): string {
  const segment = (text: string | undefined, absent: string) =>
    text === undefined || text === '' || unknown.test(text) ? absent : text;
  return [
    'kubernetes',
    segment(namespace, namespace === undefined ? '-' : '*'),
    unknown.test(kind) ? '*' : resourceName(kind),
    segment(name, '*'),
  ].join('/');
}

export function reads(...paths: readonly string[]): readonly Resource[] {
  return paths.map((path) => ({ path, mode: 'read' }));
}

export function writes(...paths: readonly string[]): readonly Resource[] {
  return paths.map((path) => ({ path, mode: 'write' }));
}

/** Accesses to a kind: one for each verb. */
export function access(
  verbs: readonly string[],
  kind: string,
  where: {
    readonly namespace?: string | undefined;
    readonly name?: string | undefined;
    readonly subresource?: string;
  } = {},
): readonly KubernetesAccess[] {
  const { group, resource } = groupResource(kind);
  return verbs.map((verb) => ({
    system: 'kubernetes',
    verb,
    group,
    resource: where.subresource === undefined ? resource : `${resource}/${where.subresource}`,
    ...(where.namespace !== undefined && { namespace: where.namespace }),
    // Kubernetes cannot restrict list, watch and create to a name.
    ...(where.name !== undefined && !['list', 'watch', 'create'].includes(verb) && { name: where.name }),
  }));
}

function quoted(text: string): string {
  return `'${text}'`;
}
