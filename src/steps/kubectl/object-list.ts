import type { Access, ReadContext } from '../../engine/step-type.ts';
import { StepError } from '../../engine/step-type.ts';
import type { Kind, KubernetesObject } from '../../services/kubernetes.ts';
import { call, missing, noMatch, requireNamespace } from './errors.ts';
import { resolveKind } from './kinds.ts';
import { access, requireTarget } from './target.ts';

/** One object by name, or all that a selector matches. */
export interface ObjectQuery {
  readonly kind: string;
  readonly name?: string | undefined;
  readonly selector?: string | undefined;
  readonly namespace?: string | undefined;
}

export function queryAccess(input: ObjectQuery): readonly Access[] {
  const { namespace, name } = input;
  return [
    ...access([name === undefined ? 'list' : 'get'], input.kind, { namespace, name }),
    ...(namespace === undefined ? [] : access(['get'], 'namespaces', { name: namespace })),
  ];
}

/** 'Pod nvcf/x', 'pods app=x in nvcf' */
export function queryName({ kind, name, selector, namespace }: ObjectQuery): string {
  if (name !== undefined) return `${kind} ${namespace === undefined ? '' : `${namespace}/`}${name}`;
  return `${kind} ${selector}${namespace === undefined ? '' : ` in ${namespace}`}`;
}

export async function kindOf(ctx: ReadContext, input: ObjectQuery): Promise<Kind> {
  requireTarget(input);
  if ((input.name === undefined) === (input.selector === undefined))
    throw new StepError('invalid-input', 'Give either name or selector.', { outcome: 'not-applied' });
  const kind = await call({ verb: 'find the kind', what: input.kind }, () =>
    resolveKind(ctx.services.kubernetes, input.kind),
  );
  if (kind.namespaced !== (input.namespace !== undefined))
    throw new StepError(
      'invalid-target',
      kind.namespaced
        ? `A ${kind.kind} is in a namespace: namespace is missing.`
        : `A ${kind.kind} is in no namespace.`,
      { outcome: 'not-applied' },
    );
  return kind;
}

/** The objects of a query, sorted by name; none at all is an error, unless the author allows it. */
export async function findObjects(
  ctx: ReadContext,
  input: ObjectQuery & { readonly allowMissing?: boolean },
): Promise<readonly KubernetesObject[]> {
  const kind = await kindOf(ctx, input);
  const { kubernetes } = ctx.services;
  const { name, selector, namespace } = input;
  const scope = namespace === undefined ? {} : { namespace };
  if (name !== undefined) {
    const ref = { kind, ...scope, name };
    const found = await call({ verb: 'get', what: queryName(input) }, () => kubernetes.get(ref));
    if (found !== undefined) return [found];
    if (input.allowMissing === true) return [];
    throw await missing(kubernetes, ref);
  }
  const found = await call({ verb: 'list', what: queryName(input) }, () =>
    kubernetes.list(kind, { ...scope, ...(selector !== undefined && { labelSelector: selector }) }),
  );
  if (found.length === 0) {
    if (namespace !== undefined) await requireNamespace(kubernetes, namespace);
    if (input.allowMissing !== true) throw noMatch(kind.plural, selector ?? '', namespace);
  }
  return [...found].sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
}
