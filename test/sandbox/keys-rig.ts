import { Secret } from '../../src/engine/secret.ts';
import { openSandbox, type Sandbox, type SandboxOptions } from '../../src/sandbox/open.ts';
import type { NekSession, NekStoreTarget, NewNekRow } from '../../src/services/nek-store.ts';
import { never } from './rig.ts';

/** Few keys, so that a test is quick. */
export function openKeys(options: Partial<SandboxOptions> = {}): Sandbox {
  return openSandbox({ seed: 5, neks: { namespaces: 3, each: 4 }, ...options });
}

type Jwk = { readonly kid: string; readonly k: string; readonly [member: string]: unknown };

/** The keys of one set of the document. */
export function setOf(
  data: Readonly<Record<string, unknown>>,
  name: 'keys' | 'private_jwks',
): readonly Jwk[] {
  const text = Buffer.from(String(data[name]), 'base64').toString('utf8');
  return (JSON.parse(text) as { keys: readonly Jwk[] }).keys;
}

export function encoded(keys: readonly unknown[]): string {
  return Buffer.from(JSON.stringify({ keys })).toString('base64');
}

export function jwk(kid: string, byte: number): Jwk {
  return { kty: 'oct', use: 'enc', kid, k: Buffer.alloc(32, byte).toString('base64url'), alg: 'A256GCM' };
}

/** UUIDs of version 1, both newer than the seeded key. */
export const newer = [
  '1d9a4c00-ea15-11f0-8123-01020304abcd',
  '2d9a4c00-ea15-11f0-8123-01020304abcd',
] as const;

/** The document as it is stored. */
export function documentOf(sandbox: Sandbox): Readonly<Record<string, unknown>> {
  const found = sandbox.inspect.secret();
  if (found === undefined) throw new Error('there is no document');
  return found.data;
}

/** Somebody appends a key to both sets, with its own bytes in each. */
export function appendKey(sandbox: Sandbox, kid: string, byte: number): void {
  const data = documentOf(sandbox);
  sandbox.control.editKv({
    data: {
      ...data,
      keys: encoded([...setOf(data, 'keys'), jwk(kid, byte)]),
      private_jwks: encoded([...setOf(data, 'private_jwks'), jwk(kid, byte + 1)]),
    },
  });
}

/** Somebody makes a key the first one of both sets, and the current one. */
export function activateKey(sandbox: Sandbox, kid: string): void {
  const data = documentOf(sandbox);
  const reordered = (name: 'keys' | 'private_jwks') => {
    const keys = setOf(data, name);
    return encoded([...keys.filter((key) => key.kid === kid), ...keys.filter((key) => key.kid !== kid)]);
  };
  sandbox.control.editKv({
    data: {
      keys: reordered('keys'),
      private_jwks: reordered('private_jwks'),
      current_kid: kid,
      jwe_mapping: JSON.stringify({ payload_jwe_kid: kid }),
    },
  });
}

const services: Readonly<Record<string, string>> = { ess_api: 'ess-api', api_keys_api: 'api-keys-api' };

/** A keyspace with the credentials that lie in the key-value secret of its service. */
export function targetOf(sandbox: Sandbox, keyspace = 'ess_api'): NekStoreTarget {
  const found = sandbox.inspect.secret({
    mount: `services/${services[keyspace]}/kv`,
    path: 'cassandra/creds',
  });
  return {
    namespace: 'cassandra-system',
    selector: 'app.kubernetes.io/name=cassandra',
    keyspace,
    datacenter: 'ncp',
    username: Secret.fromText('username', String(found?.data.username)),
    password: Secret.fromText('password', String(found?.data.password)),
  };
}

export function openSession(
  sandbox: Sandbox,
  given: Partial<NekStoreTarget> & { readonly instance?: string } = {},
): Promise<NekSession> {
  const { instance, ...target } = given;
  const store = (instance === undefined ? sandbox.services : sandbox.servicesFor(instance)).nekStore;
  return store.open({ ...targetOf(sandbox), ...target }, never);
}

export function newRow(row: Partial<NewNekRow> = {}): NewNekRow {
  return {
    namespace: 'nvcf',
    kid: 'some-kid',
    encryptedAt: Date.UTC(2026, 0, 1),
    createdAt: '8b1a9d20-17f1-11f1-8c4a-0123456789ab',
    encryptedByKid: newer[0],
    encryptedKey: `${Buffer.from(JSON.stringify({ kid: newer[0] })).toString('base64url')}..AAAA.BBBB.CCCC`,
    status: 'PENDING_REENCRYPTION',
    ...row,
  };
}
