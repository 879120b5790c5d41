import { describe, expect, test } from 'vitest';
import type { Secret } from '../../../src/engine/secret.ts';
import type { ChangeStepType } from '../../../src/engine/step-type.ts';
import { probe } from '../../../src/steps/ess/probe.ts';
import { activate } from '../../../src/steps/mek/activate.ts';
import { publish } from '../../../src/steps/mek/publish.ts';
import { census } from '../../../src/steps/nek/census.ts';
import { reencrypt } from '../../../src/steps/nek/reencrypt.ts';
import { rotate } from '../../../src/steps/nek/rotate.ts';
import { verify } from '../../../src/steps/nek/verify.ts';
import { keepsakeRig } from '../../fakes/keepsake-rig.ts';
import { type SandboxRig, sandboxRig } from '../../fakes/sandbox-context.ts';

const selector = 'app.kubernetes.io/name=cassandra';
const essPods = 'app.kubernetes.io/name=helm-nvcf-ess-api';

async function world(neks = { namespaces: 4, each: 5 }) {
  const rig = await sandboxRig({ neks });
  const spec = { type: 'secret' as const, description: 'token' };
  const { token } = rig.sandbox.inputs({ token: spec }) as { readonly token: Secret };
  const openbao = {
    namespace: 'vault-system',
    selector: 'app.kubernetes.io/name=openbao,component=server',
    token: token as unknown as string,
  };
  const cassandra = { namespace: 'cassandra-system', selector };
  return { ...rig, place: { openbao, cassandra }, input: { openbao, cassandra, apiKeys: cassandra } };
}

/** A step through its life as an instance of its own. */
async function live<With, Outputs extends object>(
  { ctx }: SandboxRig,
  type: ChangeStepType<With, Outputs>,
  input: With,
): Promise<Outputs> {
  const own = { ...ctx, ...keepsakeRig() };
  const before = await type.capture(input, own);
  expect(await type.observe(input, before, own)).toMatchObject({ state: 'not-applied' });
  const outputs = await type.run(input, { ...own, before });
  expect(await type.observe(input, before, own)).toMatchObject({ state: 'applied', outputs });
  return outputs;
}

async function withNewMasterKey() {
  const rig = await world();
  const { kid } = await live(rig, publish, rig.input);
  // ESS reads the document again within 15 minutes.
  await rig.pass(16 * 60_000);
  await live(rig, activate, { ...rig.input, kid });
  await rig.pass(16 * 60_000);
  return { ...rig, kid };
}

describe('namespace keys of the sandbox', () => {
  test('are wrapped with the new master key, proven, and read by every pod of ESS', async () => {
    const rig = await withNewMasterKey();
    const { ctx, place, kid, sandbox } = rig;
    expect(await census.run(place, ctx)).toMatchObject({ kid, keys: 20, current: 0, remaining: 20 });
    const old = sandbox.inspect.nekRows();
    const outputs = await live(rig, reencrypt, place);
    expect(outputs).toMatchObject({ kid, rewrapped: 20, finished: 0, passes: 3 });
    expect(await census.run(place, ctx)).toMatchObject({ clean: true, current: 20, rows: old.length + 20 });
    expect(await verify.run(place, ctx)).toMatchObject({ ok: true, total: 20, checked: 20, kid });
    expect(sandbox.inspect.nekRows()).toEqual(expect.arrayContaining([...old]));
    for (const afterRestart of [false, true])
      expect(sandbox.inspect.everySecretReadable({ afterRestart })).toMatchObject({ ok: true });
    const { pods } = await live(rig, probe, {
      openbao: place.openbao,
      ess: { namespace: 'ess', selector: essPods },
    });
    expect(pods.length).toBeGreaterThan(0);
  });

  test('are proven while simulated time stands still, however long that takes', async () => {
    const { ctx, place, pass } = await world({ namespaces: 20, each: 50 });
    const { clock } = ctx.services;
    const start = clock.now();
    const later = pass(3_600_000);
    expect(await verify.run(place, ctx)).toMatchObject({ ok: true, checked: 1000 });
    expect(clock.now() - start).toBeLessThan(60_000);
    await later;
  });

  test('are made anew by ESS where it is asked to', async () => {
    const rig = await withNewMasterKey();
    const ess = { namespace: 'ess', resource: 'ess-api-deployment', container: 'helm-nvcf-ess-api' };
    const { rotated } = await live(rig, rotate, { ...rig.place, ess, namespaces: ['nvcf'] });
    expect(rotated).toMatchObject([{ namespace: 'nvcf' }]);
    const [row] = rig.sandbox.inspect.nekRows('nvcf');
    expect(row?.currentKid).toBe(rotated[0]?.to);
    expect(rotated[0]?.to).not.toBe(rotated[0]?.from);
    expect(rig.sandbox.inspect.everySecretReadable({ afterRestart: true })).toMatchObject({ ok: true });
  });
});
