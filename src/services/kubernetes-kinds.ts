import { type Kind, type KubernetesObject, kinds } from './kubernetes.ts';

const shortNames: Readonly<Record<string, readonly string[]>> = {
  pods: ['po'],
  services: ['svc'],
  events: ['ev'],
  configmaps: ['cm'],
  namespaces: ['ns'],
  deployments: ['deploy'],
  statefulsets: ['sts'],
  daemonsets: ['ds'],
  replicasets: ['rs'],
  horizontalpodautoscalers: ['hpa'],
};

/** A kind with what else it answers to. */
export interface NamedKind {
  readonly kind: Kind;
  readonly singular: string;
  readonly shortNames: readonly string[];
}

export const builtinKinds: readonly NamedKind[] = Object.values(kinds).map((kind) => ({
  kind,
  singular: kind.kind.toLowerCase(),
  shortNames: shortNames[kind.plural] ?? [],
}));

/**
 * The kinds that an author's name may mean: plural, singular, short name or `Kind`, any of them with `.group`
 * or `.version.group` behind it. Case matters for none, as with kubectl.
 */
export function matchKinds(name: string, known: readonly NamedKind[]): readonly Kind[] {
  const wanted = name.toLowerCase();
  return known.filter((entry) => matches(wanted, entry)).map((entry) => entry.kind);
}

function matches(wanted: string, { kind, singular, shortNames: short }: NamedKind): boolean {
  const names = [kind.plural, singular, kind.kind.toLowerCase(), ...short];
  return names.some(
    (own) =>
      wanted === own ||
      (kind.group !== '' && wanted === `${own}.${kind.group}`) ||
      wanted === `${own}.${kind.version}.${kind.group}`,
  );
}

/** Single objects name their kind; items of a list do not. */
export function asObject(value: unknown, kind: Kind): KubernetesObject {
  const object = value as KubernetesObject;
  return object.kind === undefined ? { ...object, ...typeMeta(kind) } : object;
}

export function typeMeta(kind: Kind): { readonly apiVersion: string; readonly kind: string } {
  return {
    apiVersion: kind.group === '' ? kind.version : `${kind.group}/${kind.version}`,
    kind: kind.kind,
  };
}
