import { Secret } from '../../src/engine/secret.ts';
import type { OpenBaoPod } from '../../src/services/openbao.ts';
import { type KvPath, type KvRead, OpenBaoError } from '../../src/services/openbao.ts';
import { FakeOpenBao } from './fake-openbao.ts';
import { MemoryNekStore } from './memory-nek-store.ts';
import { mekBytes, newMek, oldMek } from './nek-rows.ts';
import { putPod } from './rollout-objects.ts';
import { type StepRig, stepRig } from './step-context.ts';

export const documentPath = 'services/all/kv/encryption/keys/stored_data';
export const credentialsPath = 'services/ess-api/kv/cassandra/creds';
export const password = 'canary-cassandra-password';

export const place = {
  openbao: {
    namespace: 'vault-system',
    selector: 'app=bao',
    token: Secret.fromText('token', 'canary-root') as unknown as string,
  },
  cassandra: { namespace: 'cassandra-system', selector: 'app=cassandra' },
};

/** OpenBao with secrets in it, by mount and path. */
export class KeyOpenBao extends FakeOpenBao {
  readonly values = new Map<string, object>();
  readonly versions = new Map<string, number>();
  failing: OpenBaoError | undefined;

  async mount() {
    return { type: 'kv', version: '2', uuid: 'mount-1' };
  }

  async tokenInfo() {
    return { policies: ['default'], ttl: undefined, root: true };
  }

  async kvRead(_pod: OpenBaoPod, at: KvPath): Promise<KvRead> {
    const where = `${at.mount}/${at.path}`;
    const value = this.values.get(where);
    if (this.failing !== undefined) return { state: 'failed', error: this.failing };
    if (value === undefined) return { state: 'not-found', reason: 'absent' };
    const data = Secret.fromText(where, JSON.stringify(value));
    const version = this.versions.get(where) ?? 1;
    return { state: 'found', version, createdTime: '2027-01-01T00:00:00Z', data };
  }
}

/** The fields of the secret that holds the master keys, the active one first. */
export function mekFields(kids: readonly string[], active = kids[0] ?? ''): Record<string, string> {
  const set = (which: 'keys' | 'private') =>
    Buffer.from(
      JSON.stringify({
        keys: kids.map((kid) => ({
          kty: 'oct',
          use: 'enc',
          kid,
          k: mekBytes(kid, which).toString('base64url'),
          alg: 'A256GCM',
        })),
      }),
    ).toString('base64');
  return {
    keys: set('keys'),
    private_jwks: set('private'),
    current_kid: active,
    jwe_mapping: JSON.stringify({ payload_jwe_kid: active }),
  };
}

export interface NekRig extends StepRig {
  readonly bao: KeyOpenBao;
  readonly store: MemoryNekStore;
  /** What a step told the redactor. */
  readonly guarded: Secret[];
}

/** A control plane in which the new master key is active and the old one is still there. */
export function nekRig(store = new MemoryNekStore()): NekRig {
  const bao = new KeyOpenBao();
  const made = stepRig({ openbao: bao, nekStore: store });
  for (const index of [0, 1, 2]) {
    const name = `bao-${index}`;
    putPod(made.cluster, { name, namespace: 'vault-system', uid: `u${index}`, labels: { app: 'bao' } });
    bao.nodes.set(name, { active: index === 0, serverTime: made.clock.now() / 1000 });
  }
  bao.values.set(documentPath, mekFields([newMek, oldMek]));
  bao.values.set(credentialsPath, { username: 'ess_api_app_v0', password });
  const guarded: Secret[] = [];
  const ctx = { ...made.ctx, protect: (secret: Secret) => void guarded.push(secret) };
  return { ...made, ctx, bao, store, guarded };
}

export function denied(): OpenBaoError {
  return new OpenBaoError('permission denied', { status: 403, outcome: 'not-applied', retryable: false });
}
