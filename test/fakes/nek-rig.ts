import { Secret } from '../../src/engine/secret.ts';
import type { Before, RunContext } from '../../src/engine/step-type.ts';
import { OpenBaoError } from '../../src/services/openbao.ts';
import type { Services } from '../../src/services/services.ts';
import { FakeOpenBao } from './fake-openbao.ts';
import { MemoryNekStore } from './memory-nek-store.ts';
import { mekBytes, newMek, oldMek } from './nek-rows.ts';
import { putPod } from './rollout-objects.ts';
import { RunClock } from './run-clock.ts';
import { type StepRig, stepRig } from './step-context.ts';

export const documentAt = { mount: 'services/all/kv', path: 'encryption/keys/stored_data' };
export const credentialsAt = { mount: 'services/ess-api/kv', path: 'cassandra/creds' };
export const password = 'canary-cassandra-password';

export const place = {
  openbao: {
    namespace: 'vault-system',
    selector: 'app=bao',
    token: Secret.fromText('token', 'canary-root') as unknown as string,
  },
  cassandra: { namespace: 'cassandra-system', selector: 'app=cassandra' },
};

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
  readonly bao: FakeOpenBao;
  readonly store: MemoryNekStore;
  /** Time jumps when everybody sleeps. */
  readonly time: RunClock;
  /** What a step told the redactor. */
  readonly guarded: Secret[];
  /** What a step keeps, by name. */
  kept(name: string): Promise<string>;
}

/** A control plane in which the new master key is active and the old one is still there. */
export function nekRig(store = new MemoryNekStore(), services: Partial<Services> = {}): NekRig {
  const bao = new FakeOpenBao();
  const time = new RunClock();
  const made = stepRig({ openbao: bao, nekStore: store, clock: time, ...services });
  for (const index of [0, 1, 2]) {
    const name = `bao-${index}`;
    putPod(made.cluster, { name, namespace: 'vault-system', uid: `u${index}`, labels: { app: 'bao' } });
    bao.nodes.set(name, {
      active: index === 0,
      get serverTime() {
        return Math.floor(time.now() / 1000);
      },
    });
  }
  bao.kv.put(documentAt, mekFields([newMek, oldMek]));
  bao.kv.put(credentialsAt, { username: 'ess_api_app_v0', password });
  const guarded: Secret[] = [];
  const ctx = { ...made.ctx, protect: (secret: Secret) => void guarded.push(secret) };
  const kept = async (name: string) => Buffer.from((await ctx.kept(name)) ?? []).toString();
  return { ...made, ctx, bao, store, time, guarded, kept };
}

/** The same context, told what `capture` has found. */
export async function captured<Input>(
  type: { capture(input: Input, ctx: RunContext): Promise<Before> },
  input: Input,
  ctx: RunContext,
): Promise<RunContext & { readonly before: Before }> {
  return { ...ctx, before: await type.capture(input, ctx) };
}

export function denied(): OpenBaoError {
  return new OpenBaoError('permission denied', { status: 403, outcome: 'not-applied', retryable: false });
}
