import { createCipheriv, createHash, randomBytes } from 'node:crypto';
import { Secret } from '../../../src/engine/secret.ts';
import type { RunContext } from '../../../src/engine/step-type.ts';
import type { FileStore } from '../../../src/services/files.ts';
import type { NekRow } from '../../../src/services/nek-store.ts';
import { FakeOpenBao } from '../../fakes/fake-openbao.ts';
import { putPod } from '../../fakes/rollout-objects.ts';
import { stepRig } from '../../fakes/step-context.ts';
import { MemoryNekStore } from './memory-nek-store.ts';

/** UUIDv1s of 2025, the second one newer. */
export const first = '00000001-8000-11f0-8000-010000000001';
export const second = '00000002-8001-11f0-8000-010000000002';
export const third = '00000003-8002-11f0-8000-010000000003';

export const at = { mount: 'services/all/kv', path: 'encryption/keys/stored_data' };
export const token = Secret.fromText('token', 'canary-token');
export const openbao = { namespace: 'vault-system', selector: 'component=server', token };
export const cassandra = { namespace: 'cassandra-system', selector: 'app.kubernetes.io/name=cassandra' };

/** A set, each key given as its kid and the byte that its 32 bytes repeat. */
export type Keys = Readonly<Record<string, number>>;

/** The fields as the services store them; `privateJwks` has other bytes under the same kids unless told. */
export function fields(
  keys: Keys,
  current: string,
  privateJwks: Keys = Object.fromEntries(Object.entries(keys).map(([kid, byte]) => [kid, byte + 100])),
): object {
  return {
    keys: encoded(keys),
    private_jwks: encoded(privateJwks),
    current_kid: current,
    jwe_mapping: JSON.stringify({ payload_jwe_kid: current }),
  };
}

/** The key text of a byte, as it must never be shown. */
export function keyText(byte: number): string {
  return Buffer.alloc(32, byte).toString('base64url');
}

function encoded(keys: Keys): string {
  const jwks = Object.entries(keys).map(([kid, byte]) => ({
    kty: 'oct',
    use: 'enc',
    kid,
    k: keyText(byte),
    alg: 'A256GCM',
  }));
  return Buffer.from(JSON.stringify({ keys: jwks })).toString('base64');
}

/** The kids of a set as it is stored now, in order. */
export function storedKids(bao: FakeOpenBao, set: 'keys' | 'private_jwks' = 'keys'): readonly string[] {
  return storedKeys(bao, set).map(({ kid }) => kid);
}

export function storedKeys(
  bao: FakeOpenBao,
  set: 'keys' | 'private_jwks',
): readonly { readonly kid: string; readonly k: string }[] {
  const stored = bao.kv.peek(at) as Record<string, string>;
  return JSON.parse(Buffer.from(stored[set] ?? '', 'base64').toString()).keys;
}

/** Three OpenBao pods with a document of two keys, and everything else that a step on master keys reaches for. */
export function mekRig() {
  const bao = new FakeOpenBao();
  const store = new MemoryNekStore();
  const files = memoryFiles();
  const made = stepRig({ openbao: bao, nekStore: store, files });
  for (const index of [0, 1, 2]) {
    putPod(made.cluster, {
      name: `bao-${index}`,
      namespace: openbao.namespace,
      uid: `u${index}`,
      labels: { component: 'server' },
    });
    bao.nodes.set(`bao-${index}`, { active: index === 0, serverTime: made.clock.now() / 1000 });
  }
  bao.kv.put(at, fields({ [first]: 1 }, first));
  bao.kv.put(at, fields({ [first]: 1, [second]: 2 }, first));
  for (const mount of ['services/ess-api/kv', 'services/api-keys-api/kv'])
    bao.kv.put({ mount, path: 'cassandra/creds' }, { username: 'app', password: 'canary-password' });
  const secrets: Secret[] = [];
  const ctx: RunContext = { ...made.ctx, protect: (secret) => void secrets.push(secret) };
  return { ...made, ctx, bao, store, files, secrets };
}

export type MekRig = ReturnType<typeof mekRig>;

/** Whether somebody who prints this text was kept from printing the key. */
export function isProtected(rig: MekRig, text: string): boolean {
  return rig.secrets.some((secret) => secret.revealText((value) => value === text));
}

export function memoryFiles(): FileStore & { readonly all: Map<string, Uint8Array> } {
  const all = new Map<string, Uint8Array>();
  return {
    all,
    read: async (path) => {
      const content = all.get(path);
      if (content === undefined) throw new Error(`${path} does not exist`);
      return content;
    },
    stat: async (path) => {
      const content = all.get(path);
      return content && { kind: 'file' as const, mode: 0o600, uid: 0, size: content.length };
    },
    create: async (path, content) => {
      if (all.has(path)) throw new Error(`${path} exists`);
      if (!(content instanceof Uint8Array)) throw new Error('only whole contents in this fake');
      all.set(path, Uint8Array.from(content));
    },
  };
}

/** A row of ESS, wrapped by hand under a key given as its kid and byte. */
export function wrappedRow(
  mek: { readonly kid: string; readonly byte: number },
  more: Partial<NekRow> = {},
): NekRow {
  const k = keyText(77);
  const row = {
    namespace: 'nvcf',
    kid: createHash('sha256').update(`{"k":"${k}","kty":"oct"}`).digest('base64url'),
    encryptedAt: 1_790_000_000_000,
    createdAt: '5c1a1000-9a10-11f0-8000-010000000009',
    encryptedByKid: mek.kid,
    status: 'VALIDATED',
    ...more,
  };
  const { namespace, createdAt, encryptedAt } = row;
  const header = { alg: 'dir', enc: 'A256GCM', kid: mek.kid, version: 1, namespace, createdAt, encryptedAt };
  const first = Buffer.from(JSON.stringify(header)).toString('base64url');
  const iv = Buffer.alloc(12, 5);
  const cipher = createCipheriv('aes-256-gcm', Buffer.alloc(32, mek.byte), iv);
  cipher.setAAD(Buffer.from(first));
  const sealed = Buffer.concat([cipher.update(k), cipher.final()]);
  const parts = [first, '', iv, sealed, cipher.getAuthTag()].map((part) =>
    typeof part === 'string' ? part : part.toString('base64url'),
  );
  return { ...row, encryptedKey: parts.join('.'), currentKid: row.kid };
}

/** A `key_details` column of API Keys (A256GCMKW, A256GCM), wrapped by hand under a key given as its kid and byte. */
export function keyDetails(mek: { readonly kid: string; readonly byte: number }): string {
  const seal = (key: Buffer, text: Buffer, aad?: Buffer) => {
    const iv = randomBytes(12);
    const cipher = createCipheriv('aes-256-gcm', key, iv);
    if (aad !== undefined) cipher.setAAD(aad);
    const sealed = Buffer.concat([cipher.update(text), cipher.final()]);
    return [iv, sealed, cipher.getAuthTag()].map((part) => part.toString('base64url'));
  };
  const contentKey = randomBytes(32);
  const [iv, wrapped, tag] = seal(Buffer.alloc(32, mek.byte), contentKey);
  const header = { alg: 'A256GCMKW', enc: 'A256GCM', kid: mek.kid, iv, tag };
  const first = Buffer.from(JSON.stringify(header)).toString('base64url');
  return [first, wrapped, ...seal(contentKey, Buffer.from('{"policies":[]}'), Buffer.from(first))].join('.');
}
