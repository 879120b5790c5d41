// The part of the OpenBao chart's migrations Job that keeps the master key document: a read that fails, for whatever
// reason, is taken for "there is none yet", and fresh keys are written without a check. Settings:
//   READ_FAILS  "true": the one read gets no answer, as when the leader changes at that moment
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { types } from 'cassandra-driver';
import { call, messageOf } from './lib/openbao.ts';
import { log } from './lib/server.ts';

const token = readFileSync('/var/run/secrets/root-token/root_token', 'utf8');
const path = 'services/all/kv/data/encryption/keys/stored_data';

async function exists(): Promise<boolean> {
  try {
    if (process.env.READ_FAILS === 'true') throw new Error('context deadline exceeded');
    const response = await call('GET', path, token);
    if (!response.ok) throw new Error(`HTTP ${response.status}`);
    return true;
  } catch (error) {
    log('WARN', `no secret at ${path}: ${messageOf(error)}`);
    return false;
  }
}

function keySet(kid: string): string {
  const jwk = { kty: 'oct', use: 'enc', kid, k: randomBytes(32).toString('base64url'), alg: 'A256GCM' };
  return Buffer.from(JSON.stringify({ keys: [jwk] })).toString('base64');
}

if (await exists()) {
  log('INFO', `${path} exists, nothing to write`);
} else {
  const kid = types.TimeUuid.now().toString();
  const data = {
    keys: keySet(kid),
    current_kid: kid,
    jwe_mapping: JSON.stringify({ payload_jwe_kid: kid }),
    private_jwks: keySet(kid),
  };
  const response = await call('POST', path, token, { data });
  if (!response.ok) {
    log('ERROR', `${path} was not written: HTTP ${response.status} ${await response.text()}`);
    process.exit(1);
  }
  log('INFO', `wrote fresh keys to ${path}`);
}
log('INFO', 'migrations completed');
process.exit(0);
