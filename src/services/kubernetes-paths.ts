import type { Kind, ListOptions, ObjectRef } from './kubernetes.ts';
import { type CallPlace, refusal } from './kubernetes-errors.ts';

/** 'deployments.apps', 'pods'. */
export function qualified(kind: Kind): string {
  return kind.group === '' ? kind.plural : `${kind.plural}.${kind.group}`;
}

export function describeRef(ref: ObjectRef): string {
  return `${ref.kind.kind} ${ref.namespace === undefined ? '' : `${ref.namespace}/`}${ref.name}`;
}

export function objectPath(ref: ObjectRef, subresource?: string): string {
  const name = segment(ref.name, `name of the ${ref.kind.kind}`);
  const below = subresource === undefined ? '' : `/${segment(subresource, 'subresource')}`;
  return `${collection(ref.kind, ref.namespace)}/${name}${below}`;
}

/** Where objects are created; for a namespaced kind the namespace must be known. */
export function collection(kind: Kind, namespace: string | undefined): string {
  if (!kind.namespaced) return root(kind);
  if (namespace === undefined) {
    throw refusal(`A ${kind.kind} lives in a namespace, and none is given. — Name one.`, 'EmptyNamespace');
  }
  return inNamespace(kind, namespace);
}

export function listPath(kind: Kind, options: ListOptions): string {
  return kind.namespaced && options.namespace !== undefined
    ? inNamespace(kind, options.namespace)
    : root(kind);
}

/** Selectors of a list or watch. An empty one would silently mean "everything". */
export function selectors(kind: Kind, options: ListOptions): Record<string, string | undefined> {
  for (const [what, value] of [
    ['label', options.labelSelector],
    ['field', options.fieldSelector],
  ] as const) {
    if (value !== undefined && value.trim() === '') {
      throw refusal(
        `The ${what} selector for ${qualified(kind)} is empty, which would match everything. — Write one, or leave it out to mean all.`,
        'EmptySelector',
      );
    }
  }
  return { labelSelector: options.labelSelector, fieldSelector: options.fieldSelector };
}

export function placeOf(verb: string, ref: ObjectRef, write: boolean): CallPlace {
  return { what: `${verb} ${describeRef(ref)}`, write, confidential: isConfidential(ref.kind) };
}

export function listPlace(verb: string, kind: Kind, options: ListOptions): CallPlace {
  const where = options.namespace === undefined ? '' : ` in ${options.namespace}`;
  return { what: `${verb} ${qualified(kind)}${where}`, write: false, confidential: isConfidential(kind) };
}

export function isConfidential(kind: Pick<Kind, 'group' | 'plural'>): boolean {
  return kind.group === '' && kind.plural === 'secrets';
}

function root(kind: Kind): string {
  const version = segment(kind.version, `version of ${kind.plural}`);
  const plural = segment(kind.plural, 'plural of the kind');
  return kind.group === ''
    ? `/api/${version}/${plural}`
    : `/apis/${segment(kind.group, 'API group')}/${version}/${plural}`;
}

function inNamespace(kind: Kind, namespace: string): string {
  const all = root(kind);
  const cut = all.lastIndexOf('/');
  const name = segment(namespace, `namespace of the ${kind.kind}`);
  return `${all.slice(0, cut)}/namespaces/${name}${all.slice(cut)}`;
}

/** One path segment. Empty, dotted and slashed ones would reach another object than the one that was meant. */
function segment(value: string, what: string): string {
  if (value.trim() === '') throw refusal(`The ${what} is empty. — Name it.`, 'EmptyName');
  if (value === '.' || value === '..' || /[/%\s]/u.test(value)) {
    throw refusal(
      `The ${what}, ${JSON.stringify(value)}, is no Kubernetes name. — Correct it.`,
      'InvalidName',
    );
  }
  return encodeURIComponent(value);
}
