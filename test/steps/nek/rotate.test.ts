import { describe, expect, test } from 'vitest';
import type { JsonObject } from '../../../src/engine/json.ts';
import { kinds } from '../../../src/services/kubernetes.ts';
import { rotate } from '../../../src/steps/nek/rotate.ts';
import { noQuorum } from '../../fakes/memory-nek-store.ts';
import { captured, type NekRig, nekRig, place } from '../../fakes/nek-rig.ts';
import { lostMek, nekOf, nekRow, newMek } from '../../fakes/nek-rows.ts';
import { putWorkload, rollOut } from '../../fakes/rollout-objects.ts';
import { failure } from '../../fakes/steps-kubernetes.ts';

const ess = { namespace: 'ess', resource: 'ess-api', container: 'main' };
const input = { ...place, ess };
const ref = { kind: kinds.deployments, namespace: 'ess', name: 'ess-api' };
const own = { name: 'ENCRYPTION_MEKROTATIONGRACEPERIOD', value: 'PT12H' };
const given = [{ name: 'KEEP', value: 'me' }, own];
const undo = rotate.undo as Extract<typeof rotate.undo, (...parameters: never) => unknown>;

function rig(): NekRig {
  const made = nekRig();
  putWorkload(made.cluster, { name: 'ess-api', namespace: 'ess', env: given });
  made.cluster.hooks = { afterWrite: (object, cluster) => rollOut(cluster, object) };
  for (const namespace of ['a', 'b']) made.store.put(nekRow({ namespace, mek: newMek }));
  return made;
}

function envOf({ cluster }: NekRig): readonly JsonObject[] {
  const template = cluster.read(ref).spec?.template as unknown as {
    readonly spec: { readonly containers: readonly { readonly env: readonly JsonObject[] }[] };
  };
  return template.spec.containers[0]?.env ?? [];
}

/** What ESS does with the toggles: a key that waits, and its promotion. */
function makeKey({ store }: NekRig, namespace: string): void {
  const currentKid = nekOf(`${namespace} next`).kid;
  store.put(nekRow({ namespace, seed: `${namespace} next`, mek: newMek, status: 'VALIDATED', currentKid }));
}

describe('nek.rotate', () => {
  test('gives ESS its toggles, waits for every key, and takes them out again', async () => {
    const made = rig();
    const { ctx, time, store } = made;
    const whole = await captured(rotate, input, ctx);
    const seen: (readonly JsonObject[])[] = [];
    const life = async () => {
      await time.sleep(300_000, ctx.signal);
      seen.push(envOf(made));
      makeKey(made, 'a');
      await time.sleep(60_000, ctx.signal);
      makeKey(made, 'b');
    };
    const before = store.all();
    const [outputs] = await Promise.all([rotate.run(input, whole), life()]);
    expect(outputs.rotated).toEqual(
      ['a', 'b'].map((name) => ({ namespace: name, from: nekOf(name).kid, to: nekOf(`${name} next`).kid })),
    );
    expect(outputs.seconds).toBeGreaterThanOrEqual(360);
    const values = Object.fromEntries((seen[0] ?? []).map(({ name, value }) => [name, value]));
    expect(values).toEqual({
      KEEP: 'me',
      ENCRYPTION_MEKROTATIONGRACEPERIOD: 'PT0S',
      ENCRYPTION_PROMOTION_ALLOWLIST: 'a,b',
      ENCRYPTION_PROMOTION_SCHEDULED_CRON: '30 * * * * *',
      ENCRYPTION_PROMOTION_SCHEDULED_ENABLED: 'true',
      ENCRYPTION_ROTATION_ALWAYSROTATELIST: 'a,b',
      // It is 08:00, and two pods of this workload take up to two minutes to start.
      ENCRYPTION_ROTATION_SCHEDULED_CRON: expect.stringMatching(/^0 [1-9] \* \* \* \*$/),
      ENCRYPTION_ROTATION_SCHEDULED_ENABLED: 'true',
    });
    expect(envOf(made)).toEqual(given);
    // Not a row of ours.
    expect(store.inserted).toEqual([]);
    expect(store.all()).toEqual(
      expect.arrayContaining(before.map(({ currentKid: _, ...row }) => expect.objectContaining(row))),
    );
  });

  test('limits itself to the namespaces it is told, and keeps to the schedule it is told', async () => {
    const made = rig();
    const only = { ...input, namespaces: ['b'], cron: '0 0/7 * * * *' };
    const whole = await captured(rotate, only, made.ctx);
    makeKey(made, 'b');
    expect(await rotate.run(only, whole)).toMatchObject({ rotated: [{ namespace: 'b' }] });
    expect(made.cluster.writes).toEqual([]);
    expect(await rotate.predict(only, made.ctx)).toMatchObject({
      changes: true,
      diff: [{ path: 'current key of b', before: nekOf('b next').kid }],
      notes: [expect.stringContaining('0 0/7 * * * *'), expect.stringContaining('toggles')],
    });
  });

  test.each([
    ['a namespace without a key', { namespaces: ['a', 'z'] }, 'no-current-key', () => undefined],
    [
      'a current key that cannot be opened',
      {},
      'no-current-key',
      ({ store }: NekRig) =>
        store.put(nekRow({ namespace: 'c', columns: { encryptedByKid: lostMek }, header: { kid: lostMek } })),
    ],
    [
      'no pod',
      {},
      'no-pods',
      (made: NekRig) => putWorkload(made.cluster, { ...ess, name: 'ess-api', replicas: 0 }),
    ],
    ['another container', { ess: { ...ess, container: 'other' } }, 'no-container', () => undefined],
    [
      'too many namespaces for a list',
      {},
      'too-many-namespaces',
      ({ store }: NekRig) => {
        for (let index = 0; index < 500; index++) store.put(nekRow({ namespace: `namespace-${index}` }));
      },
    ],
  ] as const)('%s is refused', async (_, more, code, change) => {
    const made = rig();
    change(made);
    for (const look of [rotate.capture, rotate.predict])
      await expect(look({ ...input, ...more } as typeof input, made.ctx)).rejects.toMatchObject({
        code,
        outcome: 'not-applied',
      });
    expect(made.cluster.writes).toEqual([]);
  });

  test('a name that would break the list is found before anything runs', () => {
    expect(rotate.check?.({ ...input, namespaces: ['a,b', 'c d'] })).toHaveLength(2);
    expect(rotate.check?.({ ...input, ess: { ...ess, resource: 'deploy/x' } })).toMatchObject([
      { path: ['ess', 'resource'] },
    ]);
  });

  test('when ESS makes no key it says so, and the undo takes the toggles out', async () => {
    const made = rig();
    const whole = await captured(rotate, input, made.ctx);
    void made.time.sleep(600_000, whole.signal).then(() => made.stop.abort());
    await expect(rotate.run(input, whole)).rejects.toMatchObject({
      code: expect.stringMatching(/^(aborted|timeout)$/),
      hint: expect.stringContaining('rollback'),
    });
    expect(envOf(made).length).toBeGreaterThan(given.length);
    const calm = { ...whole, signal: new AbortController().signal };
    await undo(input, whole.before, undefined, calm);
    expect(envOf(made)).toEqual(given);
    expect(await rotate.observe(input, whole.before, calm)).toMatchObject({ state: 'not-applied' });
  });

  test('a lost answer of the API server is looked up, not taken for a failure', async () => {
    const made = rig();
    const whole = await captured(rotate, input, made.ctx);
    let writes = 0;
    made.cluster.hooks = {
      afterWrite: (object, cluster) => {
        rollOut(cluster, object);
        writes += 1;
        if (writes === 1) throw failure(undefined, 'ServiceUnavailable', 'the connection broke');
      },
    };
    const life = async () => {
      await made.time.sleep(60_000, whole.signal);
      for (const namespace of ['a', 'b']) makeKey(made, namespace);
    };
    const [outputs] = await Promise.all([rotate.run(input, whole), life()]);
    expect(outputs.rotated).toHaveLength(2);
    expect(made.cluster.writes).toHaveLength(2);
    expect(envOf(made)).toEqual(given);
  });

  test('looks on while Cassandra is away', async () => {
    const made = rig();
    const whole = await captured(rotate, input, made.ctx);
    const { time } = made;
    const back = time.now() + 120_000;
    const life = async () => {
      await time.sleep(5000, whole.signal);
      made.store.gate = (call) => {
        if (call === 'partition' && time.now() < back) throw noQuorum();
      };
      for (const namespace of ['a', 'b']) makeKey(made, namespace);
    };
    const [outputs] = await Promise.all([rotate.run(input, whole), life()]);
    expect(outputs.rotated).toHaveLength(2);
  });
});

describe('nek.rotate looks', () => {
  test('and tells not-applied, in-progress, applied, conflict and unknown', async () => {
    const made = rig();
    const { ctx, cluster } = made;
    const whole = await captured(rotate, input, ctx);
    const { before } = whole;
    const look = () => rotate.observe(input, before, whole);
    expect(await look()).toMatchObject({ state: 'not-applied', partial: false });

    // The toggles are in, and ESS has not come to it yet.
    const stop = new AbortController();
    const running = rotate.run(input, { ...whole, signal: stop.signal });
    await made.time.sleep(30_000, ctx.signal);
    expect(await look()).toMatchObject({ state: 'in-progress', evidence: expect.stringContaining('a, b') });
    stop.abort();
    await expect(running).rejects.toMatchObject({ code: 'aborted' });

    // Killed before it took them out: running again does.
    for (const namespace of ['a', 'b']) makeKey(made, namespace);
    expect(await look()).toMatchObject({ state: 'not-applied', partial: true });
    const outputs = await rotate.run(input, whole);
    expect(envOf(made)).toEqual(given);
    expect(await look()).toMatchObject({ state: 'applied', outputs });

    cluster.change(ref, (object) => {
      const env = [{ name: own.name, value: 'PT1H' }];
      const spec = { containers: [{ name: 'main', env }] };
      Object.assign(object, { spec: { ...object.spec, template: { spec } } });
    });
    expect(await look()).toMatchObject({ state: 'conflict' });
    cluster.remove(ref);
    expect(await look()).toMatchObject({ state: 'conflict', evidence: expect.stringContaining('deleted') });
    cluster.hooks = {
      before: () => {
        throw failure(403, 'Forbidden', 'no');
      },
    };
    expect(await look()).toMatchObject({ state: 'unknown' });
  });

  test('after an undo new keys stay, and that is said', async () => {
    const made = rig();
    const whole = await captured(rotate, input, made.ctx);
    for (const namespace of ['a', 'b']) makeKey(made, namespace);
    await rotate.run(input, whole);
    await undo(input, whole.before, undefined, whole);
    expect(await rotate.observe(input, whole.before, whole)).toMatchObject({
      state: 'not-applied',
      evidence: 'the toggles are out; 2 new keys stay',
    });
  });

  test('an undo leaves a workload alone that is another one by now', async () => {
    const made = rig();
    const whole = await captured(rotate, input, made.ctx);
    made.cluster.change(ref, (object) => {
      object.metadata = { ...object.metadata, uid: 'another' };
    });
    await expect(undo(input, whole.before, undefined, whole)).rejects.toMatchObject({ code: 'replaced' });
  });
});
