import { createHash } from 'node:crypto';
import { types } from 'cassandra-driver';
import { CompactEncrypt, compactDecrypt } from 'jose';
import { acknowledge } from '../lib/ledger.ts';
import { type Answer, type Call, log } from '../lib/server.ts';
import { type MasterKeys, wrappingKey } from './master-keys.ts';
import { count, masked } from './metrics.ts';
import { type KeyRow, makeKey, type NamespaceKey, selectKey, validate, wrapKey } from './namespace-keys.ts';
import type { Settings } from './settings.ts';
import type { EssStore, SecretAddress } from './store.ts';

interface Given {
  store: EssStore;
  settings: Settings;
  /** The keys that are loaded now; throws after a load that failed. */
  masterKeys: () => MasterKeys;
  /** Is this the token of a caller? */
  allows: (token: string) => boolean;
}

const messages: Record<string, string> = {
  ENCRYPTING_KEY_UNAVAILABLE: 'missing MEK.',
  JWE_PARSE_ERROR: 'unable to parse JWE.',
  KEY_DECRYPTION_ERROR: 'decryption error.',
  INTEGRITY_CHECKS_ERROR: 'integrity checks.',
};

/** Reports a row that cannot be used, as ESS does. */
export function reportInvalid(row: KeyRow, error: string): void {
  if (error === 'ENCRYPTING_KEY_UNAVAILABLE')
    log('ERROR', `Master key does not exist corresponding to KeyId: ${row.encryptedByKid}`);
  log('ERROR', `Failed encryption key validation: ${messages[error] ?? error}`);
  count('nek_validation_errors_total', {
    ek_namespace: row.namespace,
    kid: masked(row.kid),
    error_key: error,
  });
}

/** `/v1/{entityType}/{entityId}/{path}`: writes, reads and deletes secrets. */
export function createSecretsApi({ store, settings, masterKeys, allows }: Given) {
  // As in ESS the caches hold wrapped keys: a master key that is gone is missed at the next use.
  const encryption = new Map<string, { row: KeyRow; until: number }>();
  const decryption = new Map<string, { row: KeyRow; until: number }>();
  const fetching = new Map<string, Promise<NamespaceKey>>();

  async function cached(
    cache: Map<string, { row: KeyRow; until: number }>,
    name: string,
    fetch: () => Promise<NamespaceKey>,
  ): Promise<NamespaceKey> {
    const found = cache.get(name);
    if (found !== undefined && found.until > performance.now()) {
      const verdict = await validate(found.row, masterKeys());
      if (verdict.state === 'usable') return { kid: found.row.kid, key: verdict.key, row: found.row };
      reportInvalid(found.row, verdict.error);
      throw new Error(`NEK ${found.row.kid} cannot be unwrapped`);
    }
    // Whoever asks meanwhile waits for the same answer.
    const fresh = fetching.get(name) ?? fetch().finally(() => fetching.delete(name));
    fetching.set(name, fresh);
    const { row } = await fresh;
    cache.set(name, { row, until: performance.now() + settings.cacheTtl });
    return fresh;
  }

  async function select(namespace: string, kid: string): Promise<NamespaceKey> {
    return selectKey(await store.keyRows(namespace, kid), masterKeys(), reportInvalid);
  }

  async function create(namespace: string): Promise<string> {
    const created = types.TimeUuid.now();
    const row = await wrapKey(makeKey(), wrappingKey(masterKeys(), settings.gracePeriod), {
      namespace,
      createdAt: created.toString(),
      encryptedAt: created.getDate().getTime(),
      status: 'CREATION_VALIDATED',
    });
    await store.insertKey(row);
    log('INFO', 'NEKv2 write');
    await store.claimCurrent(namespace, row.kid);
    // Another pod may have been faster.
    return (await store.currentKid(namespace)) ?? row.kid;
  }

  const encryptionKey = (namespace: string) =>
    cached(encryption, `current ${namespace}`, async () => {
      const current = await store.currentKid(namespace);
      const key = await select(namespace, current ?? (await create(namespace)));
      count('nek_v2_encryption_gets_total');
      return key;
    });
  const decryptionKey = (namespace: string, kid: string) =>
    cached(decryption, `${namespace} ${kid}`, async () => {
      const key = await select(namespace, kid);
      count('nek_v2_decryption_gets_total');
      return key;
    });

  async function write(at: SecretAddress, data: object): Promise<Answer> {
    const { kid, key } = await encryptionKey(at.namespace).catch((error: unknown) => {
      count('nek_v2_encryption_get_errors_total');
      throw error;
    });
    const value = await new CompactEncrypt(Buffer.from(JSON.stringify(data)))
      .setProtectedHeader({ alg: 'dir', enc: 'A256GCM', kid })
      .encrypt(key);
    const version = await store.writeSecret(at, value, kid);
    const digest = createHash('sha256').update(JSON.stringify(data)).digest('hex');
    acknowledge({ ...at, digest });
    count('secret_creates');
    return { status: 200, body: { version } };
  }

  async function read(at: SecretAddress, wanted: string | null): Promise<Answer> {
    const found = await store.readSecret(at, wanted ?? undefined);
    if (found === undefined) return { status: 404, body: { error: 'no such secret' } };
    const { key } = await decryptionKey(at.namespace, found.kid).catch((error: unknown) => {
      count('nek_v2_decryption_get_errors_total');
      throw error;
    });
    const { plaintext } = await compactDecrypt(found.value, key);
    count('secret_reads');
    const data = JSON.parse(Buffer.from(plaintext).toString()) as object;
    return { status: 200, body: { data, version: found.version } };
  }

  async function remove(at: SecretAddress): Promise<Answer> {
    // Recorded first: a delete whose answer is lost may have been done.
    acknowledge({ ...at, digest: null });
    await store.deleteSecret(at);
    count('secret_deletes');
    return { status: 204 };
  }

  return async ({ method, segments, query, headers, body }: Call): Promise<Answer> => {
    const token = /^Bearer (.+)$/.exec(headers.authorization ?? '')?.[1];
    if (token === undefined || !allows(token)) return { status: 401, body: { error: 'no valid token' } };
    const namespace = headers['x-ess-namespace'];
    const [entityType = '', entityId = '', ...rest] = segments;
    const path = rest.join('/');
    if (typeof namespace !== 'string' || entityId === '' || path === '')
      return { status: 400, body: { error: 'X-ESS-NAMESPACE, an entity and a path are needed' } };
    const at = { namespace, entityType, entityId, path };
    if (method === 'GET') return read(at, query.get('version'));
    if (method === 'DELETE') return remove(at);
    const { data } = (body ?? {}) as { data?: object };
    if (method !== 'PUT') return { status: 405 };
    return data === undefined ? { status: 400, body: { error: 'data is needed' } } : write(at, data);
  };
}
