import { describe, expect, test } from 'vitest';
import { Secret } from '../../../src/engine/secret.ts';
import type { BaoStepDownWith } from '../../../src/generated/types.ts';
import { OpenBaoError } from '../../../src/services/openbao.ts';
import { status } from '../../../src/steps/bao/status.ts';
import { stepDown } from '../../../src/steps/bao/step-down.ts';
import { FakeOpenBao } from '../../fakes/fake-openbao.ts';
import { settled } from '../../fakes/manual-clock.ts';
import { putPod } from '../../fakes/rollout-objects.ts';
import { stepRig } from '../../fakes/step-context.ts';
import { failure } from '../../fakes/steps-kubernetes.ts';

const where = { namespace: 'vault-system', selector: 'app=bao' };
const token = Secret.fromText('token', 'canary-root');
const withToken = { ...where, token } as unknown as BaoStepDownWith;

function rig() {
  const bao = new FakeOpenBao();
  const made = stepRig({ openbao: bao });
  for (const index of [0, 1, 2]) {
    putPod(made.cluster, {
      name: `bao-${index}`,
      namespace: 'vault-system',
      uid: `u${index}`,
      labels: { app: 'bao' },
    });
    bao.nodes.set(`bao-${index}`, { active: index === 0 });
  }
  bao.peers = [0, 1, 2].map((index) => ({
    id: `bao-${index}`,
    address: 'x',
    leader: index === 0,
    voter: true,
  }));
  return { ...made, bao };
}

describe('bao.status', () => {
  test('asks every pod, and with a token for the voters', async () => {
    const { ctx } = rig();
    const outputs = await status.run(withToken, ctx);
    expect(outputs).toMatchObject({
      count: 3,
      sealed: 0,
      unsealed: 3,
      active: 'bao-0',
      votersKnown: true,
      voters: 3,
      healthy: true,
      summary: '3 of 3 unsealed, bao-0 active',
    });
    expect(outputs.pods[1]).toMatchObject({
      name: 'bao-1',
      reachable: true,
      voter: true,
      caughtUp: true,
      appliedIndex: 100,
    });
  });

  test('knows a voter by its address, too, and by number where neither name nor address tells', async () => {
    const { ctx, bao } = rig();
    const peer = (address: string, voter = true) => ({
      id: `uuid-${address}`,
      address,
      leader: false,
      voter,
    });
    bao.peers = [0, 1, 2].map((index) => peer(`bao-${index}.bao-internal:8201`, index !== 2));
    expect((await status.run(withToken, ctx)).pods.map((pod) => pod.voter)).toEqual([true, true, false]);
    expect(await status.run(withToken, ctx)).toMatchObject({ voters: 2, healthy: false });
    bao.peers = [1, 2, 3].map((index) => peer(`10.0.0.${index}:8201`));
    expect(await status.run(withToken, ctx)).toMatchObject({ voters: 3, healthy: true });
  });

  test('does not guess voters without a token, nor with one that may not ask', async () => {
    const { ctx, bao } = rig();
    expect(await status.run(where, ctx)).toMatchObject({ votersKnown: false, voters: 0, healthy: true });
    bao.peers = [];
    expect(await status.run(withToken, ctx)).toMatchObject({ votersKnown: false, voters: 0 });
  });

  test.each([
    [
      'sealed',
      { sealed: true, active: false, raftAppliedIndex: undefined, raftCommittedIndex: undefined },
      { sealed: 1 },
    ],
    ['uninitialised', { initialized: false }, { sealed: 0 }],
    ['behind', { raftAppliedIndex: 80 }, { sealed: 0 }],
    ['without an applied index', { raftAppliedIndex: undefined }, { sealed: 0 }],
  ] as const)('a pod that is %s makes it unhealthy', async (_, node, expected) => {
    const { ctx, bao } = rig();
    bao.nodes.set('bao-2', node);
    expect(await status.run(where, ctx)).toMatchObject({ ...expected, healthy: false });
  });

  test('a pod a little behind has caught up, as far as was asked for', async () => {
    const { ctx, bao } = rig();
    bao.nodes.set('bao-2', { raftAppliedIndex: 92 });
    expect(await status.run(where, ctx)).toMatchObject({ healthy: true });
    expect(await status.run({ ...where, maxLag: 5 }, ctx)).toMatchObject({ healthy: false });
  });

  test('a pod that refuses or hangs is reported as sealed, not left out and not awaited for ever', async () => {
    const { ctx, bao, clock } = rig();
    bao.nodes.delete('bao-1');
    bao.nodes.set('bao-2', 'hangs');
    const run = status.run(where, ctx);
    await clock.advance(11_000);
    const { pods, sealed } = await run;
    expect(sealed).toBe(2);
    expect(pods.map((pod) => [pod.reachable, pod.error])).toEqual([
      [true, ''],
      [false, 'bao-1: connection refused'],
      [false, 'no answer within 10 s'],
    ]);
  });

  test('no pod is an error', async () => {
    const { ctx } = rig();
    await expect(status.run({ ...where, selector: 'app=x' }, ctx)).rejects.toMatchObject({
      code: 'no-match',
    });
    await expect(status.run({ ...where, namespace: '' }, ctx)).rejects.toMatchObject({
      code: 'invalid-target',
    });
  });
});

describe('bao.step-down', () => {
  test('asks the active pod and returns when another one is active', async () => {
    const { ctx, bao, clock, checkpoints, progress } = rig();
    bao.onStepDown = () => void bao.nodes.set('bao-0', { active: false });
    const run = stepDown.run(withToken, ctx);
    await settled();
    expect(bao.stepDowns.map(({ pod }) => pod)).toEqual(['bao-0']);
    bao.nodes.set('bao-2', { active: true });
    await clock.advance(2000);
    const outputs = await run;
    expect(outputs).toEqual({ previous: 'bao-0', active: 'bao-2' });
    expect(JSON.stringify([outputs, checkpoints, progress])).not.toContain('canary-root');
  });

  test('with a pod that is not the active one nothing happens', async () => {
    const { ctx, bao } = rig();
    expect(await stepDown.run({ ...withToken, pod: 'bao-1' }, ctx)).toEqual({
      previous: '',
      active: 'bao-0',
    });
    expect(bao.stepDowns).toEqual([]);
    expect(await stepDown.predict({ ...withToken, pod: 'bao-1' }, ctx)).toMatchObject({ changes: false });
  });

  test('is refused when nobody could take over, or nobody is active', async () => {
    const { ctx, bao } = rig();
    for (const name of ['bao-1', 'bao-2']) bao.nodes.set(name, { sealed: true });
    for (const refused of [
      stepDown.run(withToken, ctx),
      stepDown.predict(withToken, ctx),
      stepDown.capture(withToken, ctx),
    ])
      await expect(refused).rejects.toMatchObject({ code: 'no-successor', outcome: 'not-applied' });
    bao.nodes.set('bao-0', { sealed: true });
    await expect(stepDown.run(withToken, ctx)).rejects.toMatchObject({
      code: 'no-active-pod',
      details: ['bao-0: sealed', 'bao-1: sealed', 'bao-2: sealed'],
    });
    expect(bao.stepDowns).toEqual([]);
  });

  test('a refusal of OpenBao becomes a failure with the permission that is missing', async () => {
    const { ctx, bao } = rig();
    bao.onStepDown = () => {
      throw new OpenBaoError('permission denied', { status: 403, outcome: 'not-applied', retryable: false });
    };
    await expect(stepDown.run(withToken, ctx)).rejects.toMatchObject({
      code: 'forbidden',
      outcome: 'not-applied',
      hint: expect.stringContaining('sys/step-down'),
    });
  });

  async function captured() {
    const made = rig();
    const before = await stepDown.capture(withToken, made.ctx);
    return { ...made, look: () => stepDown.observe(withToken, before, made.ctx) };
  }

  test('observe tells not-applied, in-progress, applied, conflict and unknown', async () => {
    const { bao, cluster, look } = await captured();
    expect(await look()).toMatchObject({ state: 'not-applied' });
    bao.nodes.set('bao-0', { active: false });
    expect(await look()).toMatchObject({ state: 'in-progress' });
    bao.nodes.set('bao-1', { active: true });
    expect(await look()).toMatchObject({ state: 'applied', outputs: { previous: 'bao-0', active: 'bao-1' } });
    bao.nodes.set('bao-1', { active: false });
    bao.nodes.delete('bao-2');
    expect(await look()).toMatchObject({ state: 'unknown', evidence: expect.stringContaining('bao-2') });
    bao.nodes.set('bao-0', { active: true });
    putPod(cluster, { name: 'bao-0', namespace: 'vault-system', uid: 'new', labels: { app: 'bao' } });
    expect(await look()).toMatchObject({ state: 'conflict' });
    cluster.hooks = {
      before: () => {
        throw failure(403, 'Forbidden', 'no');
      },
    };
    expect(await look()).toMatchObject({ state: 'unknown' });
  });
});
