import type { Access, Resource } from '../../engine/step-type.ts';
import { StepError } from '../../engine/step-type.ts';
import type { ReleaseRef } from '../../services/helm.ts';
import { access, targetProblems } from '../kubectl/target.ts';

export interface ReleaseInput {
  readonly namespace: string;
  readonly release: string;
}

type Problem = { readonly path: readonly string[]; readonly message: string; readonly hint?: string };

// A plan shows '‹known after x›' where a value is not known yet.
const unknown = /‹/;

/** 'nvcf/api' */
export function releaseName({ namespace, release }: ReleaseInput): string {
  return `${namespace}/${release}`;
}

export function refOf({ namespace, release }: ReleaseInput): ReleaseRef {
  return { namespace, release };
}

export function releaseProblems(input: ReleaseInput): readonly Problem[] {
  const named = targetProblems({ namespace: input.namespace });
  if (/^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/.test(input.release) && input.release.length <= 53) return named;
  return [...named, { path: ['release'], message: `'${input.release}' is not the name of a release.` }];
}

/** Refuses a target before Helm is asked. */
export function requireRelease(input: ReleaseInput): void {
  const [problem] = releaseProblems(input);
  if (problem !== undefined)
    throw new StepError('invalid-target', `${problem.path.join('.')}: ${problem.message}`, {
      outcome: 'not-applied',
    });
}

function segment(text: string): string {
  return unknown.test(text) || text === '' ? '*' : encodeURIComponent(text);
}

export function releasePath({ namespace, release }: ReleaseInput): string {
  return `helm/${segment(namespace)}/${segment(release)}`;
}

export function releaseReads(input: ReleaseInput): readonly Resource[] {
  return [{ path: releasePath(input), mode: 'read' }];
}

/** Everything that lives in the namespace may be part of the chart. */
export function releaseWrites(input: ReleaseInput): readonly Resource[] {
  return [
    { path: releasePath(input), mode: 'write' },
    { path: `kubernetes/${segment(input.namespace)}`, mode: 'write' },
  ];
}

/** Helm keeps releases in Secrets. */
export function releaseReadAccess(namespace: string | undefined): readonly Access[] {
  return access(['get', 'list'], 'secrets', { namespace });
}

/** What every release of a workload needs; a chart may hold more, which only the API server's refusal can tell. */
export function releaseWriteAccess(namespace: string): readonly Access[] {
  return [
    ...access(['get', 'list', 'create', 'update', 'delete'], 'secrets', { namespace }),
    ...access(['get', 'list', 'watch', 'patch'], 'deployments', { namespace }),
    ...access(['list', 'watch'], 'replicasets', { namespace }),
    ...access(['list', 'watch'], 'pods', { namespace }),
    ...access(['get'], 'pods', { namespace, subresource: 'log' }),
    ...access(['list'], 'events', { namespace }),
  ];
}
