import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { AGE_PAIR } from '../../src/sandbox/inputs.ts';
import type { Sandbox } from '../../src/sandbox/open.ts';
import { rootToken } from '../../src/sandbox/seed/cluster.ts';
import { kinds } from '../../src/services/kubernetes.ts';
import { setOf } from '../sandbox/keys-rig.ts';
import { type Canary, type CanaryScanner, secretKey, secretKeyOfMany, secretText } from './canaries.ts';
import { keysOf, namespaceKeysOf, seed } from './key-world.ts';
import type { Finished, Rig } from './rig.ts';
import { filesBelow } from './state.ts';

function keyOf(set: string, kid: string, k: string): Canary {
  return secretKey(
    `MEK ${set} ${kid} ${createHash('sha256').update(k).digest('hex').slice(0, 8)}`,
    Buffer.from(k, 'base64url'),
  );
}

/** The keys of both sets of a document as it is stored. */
export function canariesOfDocument(data: Readonly<Record<string, unknown>>): readonly Canary[] {
  return (['keys', 'private_jwks'] as const).flatMap((set) =>
    setOf(data, set).map(({ kid, k }) => keyOf(set, kid, k)),
  );
}

/** By kid, which is a hash of the key. */
const namespaceKeys = new Map<string, Canary>();

function namespaceKey(kid: string, bytes: Uint8Array): Canary {
  const canary = namespaceKeys.get(kid) ?? secretKeyOfMany(`NEK ${kid}`, bytes);
  namespaceKeys.set(kid, canary);
  return canary;
}

/** Every secret that a simulated control plane holds and that the program is given or meets. */
export async function canariesOf(sandbox: Sandbox): Promise<readonly Canary[]> {
  const { inspect, services } = sandbox;
  const { keys, privateJwks } = keysOf(sandbox);
  const meks = [
    ...[...keys].map(([kid, k]) => ['keys', kid, k]),
    ...[...privateJwks].map(([kid, k]) => ['private_jwks', kid, k]),
  ];
  const passwords = ['ess-api', 'api-keys-api', 'nvcf-api'].map((service) => {
    const stored = inspect.secret({ mount: `services/${service}/kv`, path: 'cassandra/creds' });
    return secretText(`Cassandra password of ${service}`, String(stored?.data.password));
  });
  const unseal = await services.kubernetes.get({
    kind: kinds.secrets,
    namespace: 'vault-system',
    name: 'openbao-server-unseal',
  });
  const unsealKey = String((unseal as { data?: Record<string, string> } | undefined)?.data?.unseal_key);
  return [
    secretText('token', rootToken(seed)),
    secretText('age identity', AGE_PAIR.identity),
    secretText('unseal key', Buffer.from(unsealKey, 'base64').toString()),
    ...passwords,
    ...meks.map(([set = '', kid = '', k = '']) => keyOf(set, kid, k)),
    ...[...namespaceKeysOf(sandbox)].map(([kid, bytes]) => namespaceKey(kid, bytes)),
  ];
}

interface Place {
  readonly where: string;
  readonly bytes: Uint8Array;
}

/** Everything that runs of a rig have said and left, but the simulated cluster itself. */
export function placesOf(
  rig: Rig,
  said: readonly (Finished & { readonly what?: string })[],
): readonly Place[] {
  const outputs = said.flatMap(({ stdout, stderr, what = 'a command' }, at) => [
    { where: `stdout of ${what} (${at + 1})`, bytes: Buffer.from(stdout) },
    { where: `stderr of ${what} (${at + 1})`, bytes: Buffer.from(stderr) },
  ]);
  const files = filesBelow(rig.folder)
    .filter((file) => path.basename(file) !== 'world.jsonl')
    .map((file) => ({ where: path.relative(rig.folder, file), bytes: readFileSync(file) }));
  return [...outputs, ...files];
}

const jwt = /\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{16,}/;

/** 'where: what' for each secret that is somewhere; a signed token counts, whichever it is. */
export function leaksIn(places: readonly Place[], scanner: CanaryScanner): readonly string[] {
  return places.flatMap(({ where, bytes }) => [
    ...scanner.find(bytes).map((name) => `${where}: ${name}`),
    ...(jwt.test(Buffer.from(bytes).toString('latin1')) ? [`${where}: a signed token`] : []),
  ]);
}
