import { createECDH, createHash } from 'node:crypto';
import { derived } from '../crypto/derive.ts';
import { timeUuid } from '../crypto/time-uuid.ts';

const DAY = 86_400_000;

/** Age of the seeded master key when a run begins. */
export const MEK_AGE = 100 * DAY;

/** The key-value secret that holds the master keys. */
export const MEK_PATH = { mount: 'services/all/kv', path: 'encryption/keys/stored_data' } as const;

/** When the seeded control plane was installed. */
export function installedAt(epoch: number): number {
  return epoch - MEK_AGE;
}

/** The kid of the master key that the installation made: the same in both sets, over different bytes. */
export function seededKid(seed: number, epoch: number): string {
  return timeUuid(seed, installedAt(epoch), 'mek');
}

/** The bytes of the seeded master key in one of the two sets. */
export function seededKey(seed: number, set: 'keys' | 'private_jwks'): Buffer {
  return derived(seed, 32, 'mek', set);
}

/** One set as it is stored: base64 of the JSON object. */
export function encodeSet(keys: readonly { readonly kid: string; readonly bytes: Uint8Array }[]): string {
  const jwks = keys.map(({ kid, bytes }) => ({
    kty: 'oct',
    use: 'enc',
    kid,
    k: Buffer.from(bytes).toString('base64url'),
    alg: 'A256GCM',
  }));
  return Buffer.from(JSON.stringify({ keys: jwks })).toString('base64');
}

/** Keys of rotations before the seeded one, newest first, that the document still holds. */
function earlierKeys(seed: number, given: { epoch: number; count: number }, set: 'keys' | 'private_jwks') {
  return Array.from({ length: given.count }, (_, at) => ({
    kid: timeUuid(seed, installedAt(given.epoch) - (at + 1) * DAY, 'earlier-mek', at),
    bytes: derived(seed, 32, 'earlier-mek', set, at),
  }));
}

/** The four fields as an installation writes them, and as rotations since then have left them. */
function seededDocument(seed: number, epoch: number, earlier: number): Readonly<Record<string, string>> {
  const kid = seededKid(seed, epoch);
  const set = (name: 'keys' | 'private_jwks') =>
    encodeSet([{ kid, bytes: seededKey(seed, name) }, ...earlierKeys(seed, { epoch, count: earlier }, name)]);
  return { ...fieldsOf(kid), keys: set('keys'), private_jwks: set('private_jwks') };
}

function fieldsOf(kid: string): Readonly<Record<string, string>> {
  return { current_kid: kid, jwe_mapping: JSON.stringify({ payload_jwe_kid: kid }) };
}

/** A document with one kid and a key for each set. */
export function documentOf(
  kid: string,
  bytes: { readonly keys: Uint8Array; readonly private_jwks: Uint8Array },
): Readonly<Record<string, string>> {
  return {
    ...fieldsOf(kid),
    keys: encodeSet([{ kid, bytes: bytes.keys }]),
    private_jwks: encodeSet([{ kid, bytes: bytes.private_jwks }]),
  };
}

/** A secret of a seeded key-value engine. */
export interface SeededSecret {
  readonly mount: string;
  readonly path: string;
  readonly data: Readonly<Record<string, string>>;
  /** Milliseconds since the epoch. */
  readonly createdAt: number;
}

/** What an installation leaves in OpenBao for the services that use master keys. */
export function seededSecrets(seed: number, epoch: number, earlierKeys: number): readonly SeededSecret[] {
  const createdAt = installedAt(epoch);
  const services = { 'ess-api': 'ess_api', 'api-keys-api': 'api_keys_api', 'nvcf-api': 'nvcf_api' };
  return [
    { ...MEK_PATH, data: seededDocument(seed, epoch, earlierKeys), createdAt },
    ...Object.entries(services).map(([service, keyspace]) => ({
      mount: `services/${service}/kv`,
      path: 'cassandra/creds',
      data: cassandraCredentials(seed, keyspace),
      createdAt,
    })),
    {
      mount: 'services/nvcf-notary/kv',
      path: 'keys/signing-key',
      data: signingKey(seed, epoch),
      createdAt,
    },
  ];
}

/** What the Notary Service signs with: an EC key that is whole. */
function signingKey(seed: number, epoch: number): Readonly<Record<string, string>> {
  const pair = createECDH('prime256v1');
  pair.setPrivateKey(derived(seed, 32, 'notary'));
  const point = pair.getPublicKey();
  const kid = timeUuid(seed, installedAt(epoch), 'notary');
  const part = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64url');
  // Without padding in front, a private key that begins with zeros would be too short.
  const d = Buffer.concat([Buffer.alloc(32), pair.getPrivateKey()]).subarray(-32);
  const jwk = {
    kty: 'EC',
    crv: 'P-256',
    use: 'sig',
    alg: 'ES256',
    kid,
    d: part(d),
    x: part(point.subarray(1, 33)),
    y: part(point.subarray(33)),
  };
  const keys = Buffer.from(JSON.stringify({ keys: [jwk] })).toString('base64');
  return { keys, kid, alg: 'ES256' };
}

/** Keyspaces of the services that store something under a master key, or use one. */
export const KEYSPACES: readonly string[] = ['ess_api', 'api_keys_api', 'nvcf_api'];

/** Name and password of a service's role in Cassandra, the same as in its key-value secret. */
export function cassandraCredentials(
  seed: number,
  keyspace: string,
): { readonly username: string; readonly password: string } {
  return {
    username: `${keyspace}_app_v0`,
    password: derived(seed, 18, 'cassandra', keyspace).toString('base64url'),
  };
}

/** What the chart calls `cassandra.dbUser`: no service has it. */
export function superuser(seed: number): { readonly username: string; readonly password: string } {
  const password = createHash('sha256').update(`${seed} cassandra password`).digest('hex').slice(0, 24);
  return { username: 'cassandra', password };
}
