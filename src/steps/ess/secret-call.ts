import { createHash } from 'node:crypto';
import { Secret } from '../../engine/secret.ts';
import type { ReadContext, RunContext } from '../../engine/step-type.ts';
import { StepError } from '../../engine/step-type.ts';
import type { EssProbeWith } from '../../generated/types.ts';
import type { HttpRequest, HttpResponse } from '../../services/http.ts';
import { HttpError } from '../../services/http.ts';
import { KubernetesError } from '../../services/kubernetes.ts';
import { OpenBaoError } from '../../services/openbao.ts';
import { answeringPods } from '../kubectl/pod-list.ts';
import { connect } from '../mek/openbao.ts';
import { missingPolicy } from '../mek/policy.ts';
import { secretOf } from '../mek/target.ts';
import { outOfTime } from '../out-of-time.ts';

// ESS itself gives Cassandra 10 s.
const patience = 15_000;
const secretPath = 'runbook-probe';

/** The sign path of the role, as capabilities name it. */
export function signPath({ role }: EssProbeWith): string {
  return `${role?.mount ?? 'services/ess-api/jwt'}/sign/${role?.role ?? 'nvcf-api'}`;
}

/** A UUID of its own for each instance of the step, the same after a crash. */
export function entityOf(operationKey: string): string {
  const hex = createHash('sha256').update(`ess.probe ${operationKey}`).digest('hex');
  const parts = [hex.slice(0, 8), hex.slice(8, 12), `4${hex.slice(13, 16)}`, `8${hex.slice(17, 20)}`];
  return `${parts.join('-')}-${hex.slice(20, 32)}`;
}

/** Pods of ESS that serve, sorted; none is an error. */
export async function essPods(ctx: ReadContext, { ess }: EssProbeWith): Promise<readonly string[]> {
  return await answeringPods(ctx, ess);
}

/** The token for ESS that was given; undefined when OpenBao is to sign one. */
export function givenBearer({ bearer }: EssProbeWith): Secret | undefined {
  return bearer === undefined ? undefined : Secret.concat(['Bearer ', secretOf('bearer', bearer)]);
}

/** A token for ESS, given or signed by OpenBao now. */
export async function bearerFor(ctx: RunContext, input: EssProbeWith): Promise<Secret> {
  const given = givenBearer(input);
  if (given !== undefined) return given;
  if (input.openbao === undefined)
    throw new StepError('invalid-input', 'Give openbao or bearer.', { outcome: 'not-applied' });
  const bao = await connect(ctx, input.openbao);
  const { mount = 'services/ess-api/jwt', role = 'nvcf-api' } = input.role ?? {};
  try {
    const jwt = await ctx.services.openbao.signJwt(bao.pod, { mount, role }, bao.token, ctx.signal);
    ctx.protect(jwt);
    return Secret.concat(['Bearer ', jwt]);
  } catch (error) {
    if (!(error instanceof OpenBaoError)) throw error;
    if (error.status === 403)
      throw missingPolicy([{ path: signPath(input), capabilities: ['update'] }], error);
    throw new StepError('jwt-refused', `OpenBao signed no token for ESS: ${error.message}`, {
      outcome: 'not-applied',
      retryable: error.retryable,
      cause: error,
      hint: `Check that the role exists: bao read ${mount}/roles/${role}`,
    });
  }
}

/** One secret in ESS, asked for through one pod. */
export interface SecretCall {
  readonly input: EssProbeWith;
  readonly entity: string;
  readonly pod: string;
  readonly bearer: Secret;
}

/** Undefined: it is not there. Throws `StepError` for any other answer, and for none. */
export async function readSecret(ctx: ReadContext, call: SecretCall): Promise<string | undefined> {
  const answer = await patiently(ctx, call, 'read', (signal) =>
    ctx.services.http.request({ ...request(call), method: 'GET' }, signal),
  );
  if (answer.status === 404) return undefined;
  requireStatus(call, 'read', answer);
  return probeIn(answer.body);
}

export async function writeSecret(ctx: RunContext, call: SecretCall, value: Secret): Promise<void> {
  const body = value.revealText((text) =>
    Secret.fromText('probe', JSON.stringify({ data: { probe: text } })),
  );
  const answer = await patiently(ctx, call, 'write', (signal) =>
    ctx.services.http.send({ ...request(call), method: 'PUT', body }, signal),
  );
  requireStatus(call, 'write', answer);
}

/** Returns when it is gone, whoever deleted it. */
export async function deleteSecret(ctx: RunContext, call: SecretCall): Promise<void> {
  const answer = await patiently(ctx, call, 'delete', (signal) =>
    ctx.services.http.send({ ...request(call), method: 'DELETE' }, signal),
  );
  if (answer.status !== 404) requireStatus(call, 'delete', answer);
  if ((await readSecret(ctx, call)) === undefined) return;
  throw new StepError('still-there', `${call.pod} deleted the secret of the probe, and still gives it.`, {
    retryable: true,
  });
}

export function hashOf(value: string): string {
  return createHash('sha256').update(value).digest('hex');
}

function request({ input, entity, pod, bearer }: SecretCall): Omit<HttpRequest, 'method'> {
  const { ess, entityType = 'functions', essNamespace = 'nvcf' } = input;
  const path = [entityType, entity, secretPath].map(encodeURIComponent).join('/');
  return {
    url: `http://localhost/v1/${path}`,
    headers: { 'X-ESS-NAMESPACE': essNamespace, Authorization: bearer },
    through: { namespace: ess.namespace, pod, port: ess.port ?? 8080 },
  };
}

function requireStatus({ pod }: SecretCall, verb: string, { status }: HttpResponse): void {
  if (status >= 200 && status < 300) return;
  const denied = status === 401 || status === 403;
  // The answer's body may quote what was sent.
  throw new StepError(
    denied ? 'ess-denied' : 'ess-refused',
    `${pod} answered ${status} to ${verb} a secret.`,
    {
      retryable: status === 429 || status >= 500,
      ...(denied && { hint: 'The token needs the scope ess:secrets-admin in this ESS namespace.' }),
    },
  );
}

function probeIn(body: string): string {
  try {
    const { data } = JSON.parse(body) as { readonly data?: { readonly probe?: unknown } };
    return typeof data?.probe === 'string' ? data.probe : '';
  } catch {
    return '';
  }
}

async function patiently(
  ctx: ReadContext,
  { pod }: SecretCall,
  verb: string,
  act: (signal: AbortSignal) => Promise<HttpResponse>,
): Promise<HttpResponse> {
  const stop = new AbortController();
  const signal = AbortSignal.any([ctx.signal, stop.signal]);
  const late = ctx.services.clock.sleep(patience, signal).then((): never => {
    throw new HttpError(`no answer within ${patience / 1000} s`);
  });
  try {
    return await Promise.race([act(signal), late]);
  } catch (error) {
    if (!(error instanceof HttpError) && !(error instanceof KubernetesError)) throw error;
    if (ctx.signal.aborted)
      throw outOfTime(ctx, `The probe was stopped while ${pod} was to ${verb} a secret.`);
    const outcome = error instanceof HttpError && error.sent ? 'unknown' : 'not-applied';
    throw new StepError('unreachable', `${pod} did not answer to ${verb} a secret: ${error.message}`, {
      outcome,
      retryable: true,
      cause: error,
    });
  } finally {
    stop.abort();
    late.catch(() => undefined);
  }
}
