import type { Secret } from '../../engine/secret.ts';
import type { Access, ReadContext, Resource } from '../../engine/step-type.ts';
import { StepError } from '../../engine/step-type.ts';
import type { KvMetadata, KvMount, KvRead, OpenBaoPod } from '../../services/openbao.ts';
import { OpenBaoError } from '../../services/openbao.ts';
import { portForwardAccess } from '../pod-access.ts';
import { tokenOf } from './active.ts';
import type { BaoTarget } from './nodes.ts';
import { baoResources, targetProblems } from './nodes.ts';

/** A secret of a versioned key-value engine, as steps name it under `with`. */
export interface KvTarget extends BaoTarget {
  readonly token: unknown;
  readonly mount: string;
  readonly path: string;
}

/** Capabilities by what of the engine they are for: 'data', 'metadata'. */
export type KvNeeds = Readonly<Partial<Record<'data' | 'metadata' | 'undelete', readonly string[]>>>;

export function kvProblems(target: KvTarget): ReturnType<typeof targetProblems> {
  const problems = [...targetProblems(target)];
  for (const field of ['mount', 'path'] as const)
    if (!target[field].split('/').every((segment) => segment !== '' && segment !== '.' && segment !== '..'))
      problems.push({
        path: [field],
        message: `'${target[field]}' is no path: write it without a leading, trailing or double slash.`,
      });
  if (target.path.startsWith('data/'))
    problems.push({ path: ['path'], message: "'data/' belongs to the API's path, not to the secret's." });
  return problems;
}

/** 'openbao-kv/<namespace>/<mount>/<path>', and the pods that are asked. */
export function kvResources(target: KvTarget, mode: Resource['mode']): readonly Resource[] {
  const parts = ['openbao-kv', target.namespace, ...target.mount.split('/'), ...target.path.split('/')];
  const path = parts.map((part) => (part === '' || /[\s‹]/.test(part) ? '*' : part)).join('/');
  return [{ path, mode }, ...baoResources(target, 'read')];
}

export function kvAccess(target: KvTarget, needs: KvNeeds): readonly Access[] {
  return [
    ...portForwardAccess(target.namespace),
    ...Object.entries(needs).map(
      ([what, capabilities]): Access => ({
        system: 'openbao',
        path: `${target.mount}/${what}/${target.path}`,
        capabilities,
      }),
    ),
  ];
}

/** 'services/all/kv/encryption/keys', for people. */
export function kvName({ mount, path }: Pick<KvTarget, 'mount' | 'path'>): string {
  return `${mount}/${path}`;
}

/** The mount, proven to be a versioned key-value engine. */
export async function requireVersioned(
  ctx: ReadContext,
  pod: OpenBaoPod,
  target: KvTarget,
): Promise<KvMount> {
  const token = tokenOf(target.token);
  const mount = await ctx.services.openbao
    .mount(pod, target.mount, token, ctx.signal)
    .catch((error: unknown): never => {
      throw mountFailure(error, target);
    });
  if (mount.type === 'kv' && mount.version === '2') return mount;
  const is =
    mount.type === 'kv' ? `version ${mount.version} of the engine` : `an engine of type ${mount.type}`;
  throw new StepError('not-kv-v2', `${target.mount} in ${target.namespace} is ${is}; it keeps no versions.`, {
    outcome: 'not-applied',
    hint: 'Check `mount` and `path`: the mount is the part before `data` in the path of the API.',
  });
}

function mountFailure(error: unknown, target: KvTarget): unknown {
  const needs: KvNeeds = { data: ['read'] };
  const doing = `Could not look at the mount ${target.mount}`;
  // OpenBao says the same of a mount that is not there and of one that the token knows nothing of.
  if (!(error instanceof OpenBaoError) || !error.message.includes('has no mount'))
    return kvFailure(error, { target, doing, needs });
  return new StepError('not-kv-v2', `${doing}: ${error.message}`, {
    outcome: 'not-applied',
    cause: error,
    details: policyFor(target, needs),
    hint: 'Check `mount`; if it is right, the token needs a policy with these rules.',
  });
}

/** A version (the newest unless told) as OpenBao has it; a failed read is an error and never "absent". */
export async function readSecret(
  ctx: ReadContext,
  pod: OpenBaoPod,
  target: KvTarget & { readonly version?: number },
): Promise<Exclude<KvRead, { state: 'failed' }>> {
  const { mount, path, version } = target;
  const at = { mount, path, ...(version === undefined ? {} : { version }) };
  const read = await ctx.services.openbao.kvRead(pod, at, tokenOf(target.token), ctx.signal);
  if (read.state !== 'failed') return read;
  throw kvFailure(read.error, {
    target,
    doing: `Could not read ${kvName(target)}`,
    needs: { data: ['read'] },
  });
}

/** Undefined when there was never a version. */
export async function readMetadata(
  ctx: ReadContext,
  pod: OpenBaoPod,
  target: KvTarget,
): Promise<KvMetadata | undefined> {
  const { mount, path } = target;
  const read = await ctx.services.openbao.kvMetadata(pod, { mount, path }, tokenOf(target.token), ctx.signal);
  if (read.state === 'found') return read.metadata;
  if (read.state === 'not-found') return undefined;
  throw kvFailure(read.error, {
    target,
    doing: `Could not read the metadata of ${kvName(target)}`,
    needs: { metadata: ['read'] },
  });
}

/** A failure of OpenBao as a step tells it: which policy is missing, or what went wrong. */
export function kvFailure(
  error: unknown,
  given: { readonly target: KvTarget; readonly doing: string; readonly needs: KvNeeds },
): unknown {
  if (!(error instanceof OpenBaoError)) return error;
  const { status, outcome, retryable } = error;
  const message = `${given.doing}: ${error.message}`;
  if (status === 403)
    return new StepError('policy-missing', message, {
      outcome,
      cause: error,
      details: policyFor(given.target, given.needs),
      hint: 'Give the token a policy with these rules, or a newer token: it may have expired.',
    });
  return new StepError('kv-unreadable', message, { outcome, retryable, cause: error });
}

function policyFor({ mount, path }: KvTarget, needs: KvNeeds): readonly string[] {
  return Object.entries(needs).flatMap(([what, capabilities]) => [
    `path "${mount}/${what}/${path}" {`,
    `  capabilities = [${capabilities.map((name) => `"${name}"`).join(', ')}]`,
    '}',
  ]);
}

/** The fields of a secret, which exist only while `use` runs; it must not return them. */
export function withFields<T>(data: Secret, use: (fields: Readonly<Record<string, unknown>>) => T): T {
  return data.revealText((text) => use(JSON.parse(text) as Readonly<Record<string, unknown>>));
}
