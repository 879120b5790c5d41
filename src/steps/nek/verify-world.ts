import { webcrypto } from 'node:crypto';
import { Secret } from '../../engine/secret.ts';
import type { ReadContext } from '../../engine/step-type.ts';
import { StepError } from '../../engine/step-type.ts';
import type { NekVerifyWith } from '../../generated/types.ts';
import type { NekReadSession } from '../../services/nek-store.ts';
import type { OpenBaoPod } from '../../services/openbao.ts';
import { activeOf, askEvery } from '../bao/nodes.ts';
import { reading } from './store-failure.ts';

export type MasterKeys = ReadonlyMap<string, webcrypto.CryptoKey>;

/** What a proof starts from, read by code that shares nothing with the code that wraps. */
export interface VerifyWorld {
  readonly masterKeys: MasterKeys;
  /** Kid of the master key that ESS wraps with. */
  readonly active: string;
  readonly session: NekReadSession;
}

export async function openWorld(ctx: ReadContext, input: NekVerifyWith): Promise<VerifyWorld> {
  const { openbao, cassandra } = input;
  const active = activeOf(await askEvery(ctx, openbao));
  if (active === undefined)
    throw new StepError('no-active-pod', `No OpenBao pod in ${openbao.namespace} is active.`, {
      outcome: 'not-applied',
      retryable: true,
      hint: 'Check that a majority of the pods is unsealed (bao.status).',
    });
  const ask = { pod: active.pod, token: secretOf(openbao.token) };
  const { mount = 'services/all/kv', path = 'encryption/keys/stored_data' } = openbao;
  const document = await readFields(ctx, ask, { mount, path });
  const keys = await masterKeysOf(ctx, document, `${mount}/${path}`);
  const at = { mount: 'services/ess-api/kv', path: 'cassandra/creds', ...cassandra.credentials };
  const { username, password } = await readFields(ctx, ask, at);
  if (typeof username !== 'string' || typeof password !== 'string')
    throw refused('cassandra-credentials', `${at.mount}/${at.path} has no fields username and password.`);
  const secret = Secret.fromText('Cassandra password', password);
  ctx.protect(secret);
  const session = await reading('open the namespace keys', () =>
    ctx.services.nekStore.open(
      {
        namespace: cassandra.namespace,
        selector: cassandra.selector,
        keyspace: cassandra.keyspace ?? 'ess_api',
        datacenter: cassandra.datacenter ?? 'ncp',
        username: Secret.fromText('Cassandra user', username),
        password: secret,
      },
      ctx.signal,
    ),
  );
  return { ...keys, session };
}

function secretOf(value: string | Secret): Secret {
  return value instanceof Secret ? value : Secret.fromText('token', value);
}

function refused(code: string, message: string, hint?: string): StepError {
  return new StepError(code, message, { outcome: 'not-applied', ...(hint !== undefined && { hint }) });
}

async function readFields(
  ctx: ReadContext,
  ask: { readonly pod: OpenBaoPod; readonly token: Secret },
  at: { readonly mount: string; readonly path: string },
): Promise<Readonly<Record<string, unknown>>> {
  const where = `${at.mount}/${at.path}`;
  const read = await ctx.services.openbao.kvRead(ask.pod, at, ask.token, ctx.signal);
  if (read.state === 'failed') {
    const { status, retryable, message } = read.error;
    const mayNot = status === 403;
    throw new StepError(
      mayNot ? 'policy-missing' : 'kv-unreadable',
      `Could not read ${where} from ${ask.pod.pod}: ${message}`,
      {
        outcome: 'not-applied',
        retryable,
        cause: read.error,
        ...(mayNot && { details: [`path "${at.mount}/data/${at.path}" { capabilities = ["read"] }`] }),
      },
    );
  }
  if (read.state === 'not-found')
    throw refused(`kv-${read.reason}`, `There is nothing at ${where}: ${read.reason}.`);
  const fields: unknown = read.data.revealText((text) => parse(text));
  if (isRecord(fields)) return fields;
  throw refused('kv-unreadable', `${where} holds no fields.`);
}

async function masterKeysOf(
  ctx: ReadContext,
  fields: Readonly<Record<string, unknown>>,
  where: string,
): Promise<{ readonly masterKeys: MasterKeys; readonly active: string }> {
  const invalid = (problem: string) =>
    refused('mek-document-invalid', `${where}: ${problem}.`, 'See every problem with mek.inspect.');
  const { keys: encoded, current_kid: current } = fields;
  const set: unknown = typeof encoded === 'string' ? parse(Buffer.from(encoded, 'base64').toString()) : null;
  const list = isRecord(set) && Array.isArray(set.keys) ? set.keys : undefined;
  if (list === undefined) throw invalid('keys is not the base64 of an object with a list of keys');
  const masterKeys = new Map<string, webcrypto.CryptoKey>();
  for (const item of list as readonly unknown[]) {
    const jwk: Readonly<Record<string, unknown>> = isRecord(item) ? item : {};
    const { kty, kid, k } = jwk;
    if (kty !== 'oct' || typeof kid !== 'string' || typeof k !== 'string')
      throw invalid('an element of keys is no octet key with a kid');
    ctx.protect(Secret.fromText('master key', k));
    const bytes = Buffer.from(k, 'base64url');
    if (bytes.length !== 32) throw invalid(`key ${kid} has ${bytes.length} bytes instead of 32`);
    if (masterKeys.has(kid)) throw invalid(`kid ${kid} stands twice in keys`);
    masterKeys.set(
      kid,
      await webcrypto.subtle.importKey('raw', bytes, { name: 'AES-GCM' }, false, ['decrypt']),
    );
    bytes.fill(0);
  }
  const [first] = masterKeys.keys();
  if (first === undefined) throw invalid('keys is empty');
  if (first !== current)
    throw invalid(`ESS wraps with the first key, ${first}, while current_kid is ${String(current)}`);
  return { masterKeys, active: first };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // What it holds is secret, and the parser would quote it.
    return undefined;
  }
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
