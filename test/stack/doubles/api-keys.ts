// API Keys: issues keys whose details lie encrypted in Cassandra, and validates them. It reads `private_jwks` and
// `current_kid` when it starts, and never again.
import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { CompactEncrypt, compactDecrypt, decodeProtectedHeader } from 'jose';
import { answers, connectCassandra } from './lib/cassandra.ts';
import { fieldsDigest, readKeySet } from './lib/jwk-set.ts';
import { acknowledge } from './lib/ledger.ts';
import { OpenBaoReader } from './lib/openbao.ts';
import { type Answer, type Call, log, serve } from './lib/server.ts';

const openbao = new OpenBaoReader('api-keys-api');
const { private_jwks: privateJwks, current_kid: currentKid = '' } = await openbao.await(
  'services/all/kv',
  'encryption/keys/stored_data',
);
// The last of two keys with one name wins, as in the service's library.
const keys = new Map(readKeySet(privateJwks).map(({ kid, key }) => [kid, key]));
log('INFO', `Loaded private JWKs. Kids: [${[...keys.keys()].join(', ')}]. Current kid: ${currentKid}`);

const client = await connectCassandra(
  'api_keys_api',
  await openbao.await('services/api-keys-api/kv', 'cassandra/creds'),
);

const columns =
  'api_key_hash, key_id, owner_type, owner_id, issuer_service_id, key_details, created_at, expires_at';
const year = 365 * 24 * 3600 * 1000;

async function issue(owner: string): Promise<Answer> {
  const key = `nvapi-${randomBytes(32).toString('base64url')}`;
  const id = randomUUID();
  const bytes = keys.get(currentKid);
  if (bytes === undefined) throw new Error(`No encrypter defined for kid:${currentKid}`);
  const details = { owner, policies: [{ scopes: ['invoke_function'] }] };
  const jwe = await new CompactEncrypt(Buffer.from(JSON.stringify(details)))
    .setProtectedHeader({ alg: 'A256GCMKW', enc: 'A256GCM', kid: currentKid })
    .encrypt(bytes);
  const now = Date.now();
  const row = [hashOf(key), id, 'account', owner, 'nvcf-api', jwe, new Date(now), new Date(now + year)];
  const queries = ['keys', 'keys_by_owner_and_service'].map((table) => ({
    query: `INSERT INTO ${table} (${columns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
    params: row,
  }));
  await client.batch(queries, { prepare: true });
  acknowledge({ key });
  return { status: 200, body: { key, id } };
}

async function validate(key: string): Promise<Answer> {
  const { rows } = await client.execute('SELECT key_details FROM keys WHERE api_key_hash = ?', [hashOf(key)]);
  const jwe = rows[0]?.get('key_details') as string | undefined;
  if (jwe === undefined) return { status: 401, body: { valid: false } };
  try {
    const { kid = '' } = decodeProtectedHeader(jwe);
    const bytes = keys.get(kid);
    if (bytes === undefined) throw new Error(`Can't decrypt JWT, no decrypter defined for key: ${kid}`);
    await compactDecrypt(jwe, bytes);
    return { status: 200, body: { valid: true } };
  } catch (error) {
    log('ERROR', `Failed to decrypt JWT, error was: ${error instanceof Error ? error.message : error}`);
    return { status: 401, body: { valid: false } };
  }
}

function hashOf(key: string): string {
  return createHash('sha256').update(key).digest('hex');
}

async function api({ method, segments, body }: Call): Promise<Answer> {
  const { owner = '', key = '' } = (body ?? {}) as { owner?: string; key?: string };
  const route = `${method} ${segments.join('/')}`;
  if (route === 'POST keys') return issue(owner);
  if (route === 'POST keys/validate') return validate(key);
  if (route === 'GET loaded') return { status: 200, body: { digest: fieldsDigest(privateJwks, currentKid) } };
  return { status: 404 };
}

serve({ api, healthy: () => answers(client) });
