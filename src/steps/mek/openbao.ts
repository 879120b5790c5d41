import type { Secret } from '../../engine/secret.ts';
import type { ReadContext } from '../../engine/step-type.ts';
import { StepError } from '../../engine/step-type.ts';
import type { KvMetadata, KvPath, KvRead, OpenBaoNode, OpenBaoPod } from '../../services/openbao.ts';
import { OpenBaoError } from '../../services/openbao.ts';
import { activeOf, askEvery } from '../bao/nodes.ts';
import { missingPolicy } from './policy.ts';
import type { OpenBaoGroup } from './target.ts';
import { dataPath, documentPath, metadataPath, secretOf } from './target.ts';

/** The active, unsealed server pod, and a token to use there. */
export interface Bao {
  readonly group: OpenBaoGroup;
  readonly pod: OpenBaoPod;
  readonly node: OpenBaoNode;
  readonly token: Secret;
  /** Where the master keys lie. */
  readonly at: KvPath;
}

export type KvFound = Extract<KvRead, { state: 'found' }>;
export type KvNothing = Extract<KvRead, { state: 'not-found' }>;

/** Clocks that differ by more make times of kids worthless. Milliseconds. */
const mostSkew = 60_000;

/** Finds the active pod among all that the selector matches. Throws `openbao-sealed` or `no-active-pod`. */
export async function connect(ctx: ReadContext, group: OpenBaoGroup): Promise<Bao> {
  const asked = await askEvery(ctx, group);
  const active = activeOf(asked);
  if (active?.node !== undefined)
    return {
      group,
      pod: active.pod,
      node: active.node,
      token: secretOf('token', group.token),
      at: documentPath(group),
    };
  const answered = asked.filter(({ node }) => node !== undefined);
  const sealed = answered.length > 0 && answered.every(({ node }) => node?.sealed === true);
  throw new StepError(
    sealed ? 'openbao-sealed' : 'no-active-pod',
    sealed
      ? `OpenBao in ${group.namespace} is sealed: no pod can read or write a secret.`
      : `No OpenBao pod in ${group.namespace} is active.`,
    {
      outcome: 'not-applied',
      retryable: true,
      details: asked.map(({ pod, node, error }) =>
        node === undefined ? `${pod.pod}: ${error}` : `${pod.pod}: ${node.sealed ? 'sealed' : 'standby'}`,
      ),
      hint: sealed
        ? 'Unseal it; its sidecar takes up to 70 seconds after a restart.'
        : 'An election takes seconds. If it lasts, check that a majority of the pods is unsealed (bao.status).',
    },
  );
}

/** 'services/all/kv/encryption/keys/stored_data', for people. */
export function nameOfSecret({ mount, path }: KvPath): string {
  return `${mount}/${path}`;
}

/** A version that is there, the newest unless told; everything else is a failure that says what kind of nothing it is. */
export async function readKv(
  ctx: ReadContext,
  bao: Bao,
  at: KvPath & { readonly version?: number },
): Promise<KvFound> {
  const read = await ctx.services.openbao.kvRead(bao.pod, at, bao.token, ctx.signal);
  if (read.state === 'found') return read;
  if (read.state === 'failed') throw await unreadable(ctx, bao, { what: dataPath(at), error: read.error });
  throw await nothingThere(ctx, bao, at, read);
}

/** The version list and the settings of a secret. Undefined only when OpenBao said that it has none. */
export async function readMetadata(ctx: ReadContext, bao: Bao, at: KvPath): Promise<KvMetadata | undefined> {
  const read = await ctx.services.openbao.kvMetadata(bao.pod, at, bao.token, ctx.signal);
  if (read.state === 'found') return read.metadata;
  if (read.state === 'not-found') return undefined;
  throw await unreadable(ctx, bao, { what: metadataPath(at), error: read.error });
}

/** Why a version is not there. */
export async function nothingThere(
  ctx: ReadContext,
  bao: Bao,
  at: KvPath & { readonly version?: number },
  { reason, version }: KvNothing,
): Promise<StepError> {
  await requireVersioned(ctx, bao, at);
  const name = nameOfSecret(at);
  const which = version ?? at.version;
  const numbered = which === undefined ? '' : ` (version ${which})`;
  const fail = (code: string, message: string, hint: string) =>
    new StepError(code, message, { outcome: 'not-applied', hint });
  switch (reason) {
    case 'deleted':
      return fail(
        'kv-deleted',
        `The secret ${name} is deleted${numbered}; its content can still be brought back.`,
        `Find out who deleted it, then: bao kv undelete -mount=${at.mount} -versions=${which ?? 'N'} ${at.path}`,
      );
    case 'destroyed':
      return fail(
        'kv-destroyed',
        `The secret ${name} is destroyed${numbered}; its content is gone from OpenBao.`,
        'Bring the keys back from a backup (mek-restore-from-backup). Earlier versions may still be there, too: mek-audit lists them.',
      );
    case 'absent':
      return fail(
        'kv-absent',
        at.version === undefined
          ? `There is no secret ${name}.`
          : `There is no version ${at.version} of the secret ${name} any more.`,
        at.version === undefined
          ? 'Check mount and path. If the keys were lost, bring them back from a backup (mek-restore-from-backup); never make new ones.'
          : 'OpenBao keeps only the newest versions (10 unless configured).',
      );
  }
}

/** Throws `not-kv-v2` unless a versioned key-value engine is mounted there. Gives the mount's UUID. */
export async function requireVersioned(ctx: ReadContext, bao: Bao, { mount }: KvPath): Promise<string> {
  let found: { readonly type: string; readonly version: string; readonly uuid: string };
  try {
    found = await ctx.services.openbao.mount(bao.pod, mount, bao.token, ctx.signal);
  } catch (error) {
    if (!(error instanceof OpenBaoError)) throw error;
    if (error.status !== 403) throw await unreadable(ctx, bao, { what: `the mount ${mount}`, error });
    await requireToken(ctx, bao);
    throw new StepError(
      'no-mount',
      `OpenBao has no secrets engine at ${mount}, or the token may use nothing in it.`,
      {
        outcome: 'not-applied',
        hint: 'Check mount: it is the path of the engine, without the path of the secret.',
        cause: error,
      },
    );
  }
  if (found.type === 'kv' && found.version === '2') return found.uuid;
  throw new StepError(
    'not-kv-v2',
    `The secrets engine at ${mount} is ${found.type}${found.version === '' ? '' : ` version ${found.version}`}, not a versioned key-value engine.`,
    {
      outcome: 'not-applied',
      hint: 'Check mount; a key-value engine without versions cannot protect a key from being overwritten.',
    },
  );
}

/** Empty when both clocks agree. */
export function clockProblem(ctx: ReadContext, bao: Bao): string {
  try {
    requireClock(ctx, bao);
    return '';
  } catch (error) {
    if (!(error instanceof StepError)) throw error;
    return error.hint === undefined ? error.message : `${error.message} ${error.hint}`;
  }
}

/** The server's clock in milliseconds; refuses when it and this machine's differ by more than a minute. */
export function requireClock(ctx: ReadContext, { node, pod }: Bao): number {
  if (node.serverTime === undefined)
    throw new StepError('clock-skew', `OpenBao pod ${pod.pod} did not tell its time.`, {
      outcome: 'not-applied',
      retryable: true,
    });
  const server = node.serverTime * 1000;
  const skew = server - ctx.services.clock.now();
  // The server tells whole seconds.
  if (Math.abs(skew) <= mostSkew + 1000) return server;
  const seconds = Math.round(Math.abs(skew) / 1000);
  throw new StepError(
    'clock-skew',
    `The clock of OpenBao pod ${pod.pod} is ${seconds} s ${skew > 0 ? 'ahead of' : 'behind'} this machine's: one of them is wrong.`,
    {
      outcome: 'not-applied',
      hint: 'Services judge keys by the time in their kid. Set the clocks right (chrony, NTP) first.',
    },
  );
}

/** What a failed read means: a policy or the token, or a server that did not answer. Never "absent". */
export async function unreadable(
  ctx: ReadContext,
  bao: Bao,
  { what, error }: { readonly what: string; readonly error: OpenBaoError },
): Promise<StepError> {
  if (error.status === 403) {
    await requireToken(ctx, bao);
    return missingPolicy([{ path: what, capabilities: ['read'] }], error);
  }
  return new StepError('kv-unreadable', `Could not read ${what}: ${error.message}`, {
    outcome: 'not-applied',
    retryable: error.retryable,
    cause: error,
  });
}

/** Throws `token-refused` when the token itself is not accepted any more. */
export async function requireToken(ctx: ReadContext, bao: Bao): Promise<void> {
  try {
    await ctx.services.openbao.tokenInfo(bao.pod, bao.token, ctx.signal);
  } catch (error) {
    if (!(error instanceof OpenBaoError) || error.status !== 403) return;
    throw new StepError(
      'token-refused',
      'OpenBao does not accept the token: it is wrong, expired or revoked.',
      {
        outcome: 'not-applied',
        hint: 'Get a new token and continue with `runbook resume`.',
        cause: error,
      },
    );
  }
}
