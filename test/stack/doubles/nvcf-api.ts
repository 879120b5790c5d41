// NVCF API: gives workers an encrypted token and opens it again when they refresh it. It reads `keys` and
// `current_kid` when it starts, and never again.
import { CompactEncrypt, compactDecrypt, decodeProtectedHeader } from 'jose';
import { fieldsDigest, readKeySet } from './lib/jwk-set.ts';
import { OpenBaoReader } from './lib/openbao.ts';
import { type Answer, type Call, log, serve } from './lib/server.ts';

const { keys: jwks, current_kid: currentKid = '' } = await new OpenBaoReader('nvcf-api').await(
  'services/all/kv',
  'encryption/keys/stored_data',
);
const keys = new Map(readKeySet(jwks).map(({ kid, key }) => [kid, key]));
log('INFO', `Loaded private JWKs. Kids: [${[...keys.keys()].join(', ')}]. Current kid: ${currentKid}`);

async function issue(): Promise<Answer> {
  const bytes = keys.get(currentKid);
  if (bytes === undefined) throw new Error(`No encrypter defined for kid:${currentKid}`);
  const token = await new CompactEncrypt(Buffer.from(JSON.stringify({ iat: Date.now() })))
    .setProtectedHeader({ alg: 'A256GCMKW', enc: 'A256GCM', kid: currentKid })
    .encrypt(bytes);
  return { status: 200, body: { token } };
}

async function refresh(token: string): Promise<Answer> {
  try {
    const { kid = '' } = decodeProtectedHeader(token);
    const bytes = keys.get(kid);
    if (bytes === undefined) throw new Error(`Can't decrypt JWT, no decrypter defined for key: ${kid}`);
    await compactDecrypt(token, bytes);
  } catch (error) {
    log('ERROR', `Failed to decrypt JWT, error was: ${error instanceof Error ? error.message : error}`);
    return { status: 401, body: { error: 'invalid token' } };
  }
  return issue();
}

async function api({ method, segments, body }: Call): Promise<Answer> {
  const route = `${method} ${segments.join('/')}`;
  if (route === 'POST worker-tokens') return issue();
  if (route === 'POST worker-tokens/refresh') return refresh((body as { token?: string })?.token ?? '');
  if (route === 'GET loaded') return { status: 200, body: { digest: fieldsDigest(jwks, currentKid) } };
  return { status: 404 };
}

serve({ api });
