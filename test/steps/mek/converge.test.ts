import { describe, expect, test } from 'vitest';
import type { MekConvergeWith } from '../../../src/generated/types.ts';
import { kinds } from '../../../src/services/kubernetes.ts';
import { converge } from '../../../src/steps/mek/converge.ts';
import { FakeHttp } from '../../fakes/fake-http.ts';
import { putPod, putWorkload, rollOut } from '../../fakes/rollout-objects.ts';
import { failure } from '../../fakes/steps-kubernetes.ts';
import type { MekRig } from './rig.ts';
import { at, fields, first, mekRig, openbao, second, third } from './rig.ts';

const ess = {
  name: 'ess-api',
  namespace: 'ess',
  kind: 'Deployment',
  resource: 'ess',
  selector: 'app=ess',
  container: 'main',
  loads: 'reload',
};
const apiKeys = {
  name: 'api-keys',
  namespace: 'api-keys',
  kind: 'Deployment',
  resource: 'keys',
  selector: 'app=keys',
  container: 'main',
  loads: 'start',
};

function lines(current: string, ...kids: readonly string[]): readonly string[] {
  return [
    `Loaded masterKey. Current kid: ${current}`,
    `Loaded ${kids.length} allMasterKeys. Kids: [${kids.join(', ')}]`,
  ];
}

/** ESS in two pods and API Keys in two, all started with the first key alone. */
function world() {
  const rig = mekRig();
  const logs = new Map<string, readonly string[]>();
  const asked: { readonly pod: string; readonly since: number | undefined }[] = [];
  putWorkload(rig.cluster, { name: 'ess', namespace: 'ess' });
  putWorkload(rig.cluster, { name: 'keys', namespace: 'api-keys' });
  rig.cluster.hooks = {
    afterWrite: (object, cluster) => rollOut(cluster, object),
    log: (pod, options) => {
      asked.push({ pod, since: options.sinceSeconds });
      return logs.get(pod) ?? logs.get(pod.split('-')[0] ?? '') ?? [];
    },
  };
  logs.set('ess', lines(first, first));
  for (const name of ['ess', 'api-keys']) rig.cluster.put(kinds.namespaces, { metadata: { name } });
  const http = new FakeHttp();
  const send = () => Promise.reject(new Error('this step sends nothing'));
  const services = { ...rig.ctx.services, http: Object.assign(http, { send }) };
  return { ...rig, ctx: { ...rig.ctx, services }, logs, asked, http };
}

type World = ReturnType<typeof world>;

function input(more: object = {}): MekConvergeWith {
  return { openbao, kid: second, consumers: [ess, apiKeys], ...more } as unknown as MekConvergeWith;
}

async function captured(made: World = world(), using: MekConvergeWith = input()) {
  const before = await converge.capture(using, made.ctx);
  const ctx = { ...made.ctx, before };
  return {
    ...made,
    ctx,
    before,
    run: () => converge.run(using, ctx),
    look: () => converge.observe(using, before, ctx),
  };
}

function podNames(rig: Pick<MekRig, 'cluster'>, app: string): readonly string[] {
  return rig.cluster
    .all(kinds.pods)
    .filter((pod) => pod.metadata.labels?.app === app)
    .map((pod) => pod.metadata.name)
    .sort();
}

describe('mek.converge', () => {
  test('waits for the schedule of one that reloads, restarts one that does not, and proves every pod', async () => {
    const made = await captured();
    const old = podNames(made, 'keys');
    const done = made.run();
    await made.clock.advance(20_000);
    expect(made.cluster.writes).toEqual([]);
    expect(made.progress.at(-1)?.text).toContain('waiting for 2 of 2 pods of ess-api');
    const [one = ''] = podNames(made, 'ess');
    made.logs.set(one, lines(first, first, second));
    await made.clock.advance(20_000);
    expect(made.cluster.writes).toEqual([]);
    made.logs.set('ess', lines(first, first, second));
    await made.clock.advance(20_000);
    const outputs = await done;
    expect(made.cluster.writes).toEqual(['patch deployments/keys']);
    expect(podNames(made, 'keys').some((name) => old.includes(name))).toBe(false);
    expect(outputs).toMatchObject({ kid: second, version: 2, restarted: ['api-keys'] });
    expect(outputs.pods.map(({ consumer, pod }) => [consumer, pod])).toEqual([
      ...podNames(made, 'ess').map((pod) => ['ess-api', pod]),
      ...podNames(made, 'keys').map((pod) => ['api-keys', pod]),
    ]);
    expect(outputs.pods[0]?.evidence).toBe(`it has loaded ${second}, as its log says`);
    expect(outputs.pods[2]?.evidence).toBe('made by a restart after version 2 was there');
  });

  test('refreshes the services in the order in which they stand', async () => {
    const made = world();
    const using = input({ consumers: [apiKeys, { ...ess, refresh: 'restart' }] });
    made.cluster.hooks = {
      ...made.cluster.hooks,
      afterWrite: (object, cluster) => {
        if (object.metadata.name === 'ess') made.logs.set('ess', lines(first, first, second));
        rollOut(cluster, object);
      },
    };
    const { run, clock } = await captured(made, using);
    const done = run();
    await clock.advance(20_000);
    expect((await done).restarted).toEqual(['api-keys', 'ess-api']);
    expect(made.cluster.writes).toEqual(['patch deployments/keys', 'patch deployments/ess']);
  });

  test('restarts nothing that has proven itself, in this run or in an earlier one', async () => {
    const made = await captured();
    made.logs.set('ess', lines(first, first, second));
    await made.run();
    const again = { ...made.ctx, operationKey: 'op-2' };
    const before = await converge.capture(input(), again);
    expect(await converge.observe(input(), before, again)).toMatchObject({
      state: 'applied',
      outputs: { restarted: [] },
    });
    expect(await converge.predict(input(), again)).toMatchObject({ changes: false, diff: [] });
  });

  test('restarts again after the document was written again: an earlier restart proves nothing about it', async () => {
    const made = await captured();
    made.logs.set('ess', lines(second, second, first));
    await made.run();
    made.bao.kv.put(at, fields({ [second]: 2, [first]: 1 }, second));
    const later = await captured(made, input({ current: true }));
    const ctx = { ...later.ctx, operationKey: 'op-2' };
    const outputs = await converge.run(input({ current: true }), ctx);
    expect(outputs).toMatchObject({ version: 3, restarted: ['api-keys'] });
    expect(outputs.pods[0]?.evidence).toContain('current key');
    expect(outputs.pods[2]?.evidence).toContain('after version 3');
  });

  test('a key that is loaded but not active is not enough where it must be active', async () => {
    const made = world();
    made.bao.kv.put(at, fields({ [second]: 2, [first]: 1 }, second));
    made.logs.set('ess', lines(first, first, second));
    const using = input({ current: true, consumers: [ess] });
    const { run, clock } = await captured(made, using);
    const done = run();
    await clock.advance(20_000);
    expect(made.progress.at(-1)?.text).toContain(`its current key is ${first}`);
    made.logs.set('ess', lines(second, second, first));
    await clock.advance(10_000);
    expect((await done).pods).toHaveLength(2);
  });

  test('the metric of ESS stands in for a log that says nothing, unless another kid looks the same', async () => {
    const made = world();
    made.bao.kv.put(at, fields({ [second]: 2, [third]: 3 }, second));
    made.logs.set('ess', []);
    for (const pod of podNames(made, 'ess'))
      made.http.answers.set(pod, 'rotation_mek_delta{kid="000***002"} 123\n');
    const using = input({ current: true, consumers: [ess] });
    const { look } = await captured(made, using);
    expect(await look()).toMatchObject({
      state: 'applied',
      outputs: { pods: [{ evidence: expect.stringContaining('rotation_mek_delta') }, {}] },
    });
    made.bao.kv.put(at, fields({ [second]: 2, '000aaaaa-8000-11f0-8000-010000000002': 4 }, second));
    expect(await look()).toMatchObject({ state: 'not-applied' });
  });

  test('a pod that was replaced meanwhile is looked at again, and one that is ending counts until it is gone', async () => {
    const made = await captured(world(), input({ consumers: [ess] }));
    const { cluster, clock, run } = made;
    made.logs.set('ess', lines(first, first, second));
    const ref = { kind: kinds.pods, namespace: 'ess', name: 'ess-late' };
    putPod(cluster, { name: 'ess-late', namespace: 'ess', labels: { app: 'ess' } });
    made.logs.set('ess-late', lines(first, first));
    const done = run();
    await clock.advance(10_000);
    cluster.change(ref, (pod) => {
      pod.metadata = { ...pod.metadata, deletionTimestamp: '2027-01-10T08:00:10Z' };
    });
    await clock.advance(10_000);
    expect(made.progress.at(-1)?.text).toContain('it is ending');
    cluster.remove(ref);
    putPod(cluster, { name: 'ess-new', namespace: 'ess', labels: { app: 'ess' } });
    await clock.advance(10_000);
    expect((await done).pods.map(({ pod }) => pod)).toContain('ess-new');
  });

  test('reads a log from the time when the key was made, then only what is new', async () => {
    const made = await captured(world(), input({ consumers: [ess] }));
    const done = made.run();
    await made.clock.advance(11_000);
    made.logs.set('ess', lines(first, first, second));
    await made.clock.advance(10_000);
    await done;
    const [one = ''] = podNames(made, 'ess');
    const sinces = made.asked.filter(({ pod }) => pod === one).map(({ since }) => since ?? 0);
    // The kid is of 2025-08-24, the clock stands at 2027-01-10.
    expect(sinces[0]).toBeGreaterThan(480 * 86_400);
    expect(Math.max(...sinces.slice(1))).toBeLessThan(60);
  });

  test('no pod at all is an error, never success', async () => {
    const made = world();
    const nobody = input({ consumers: [{ ...ess, selector: 'app=nobody' }] });
    const { run } = await captured(made, nobody);
    for (const ask of [() => converge.predict(nobody, made.ctx), run])
      await expect(ask()).rejects.toMatchObject({ code: 'no-match' });
    for (const name of podNames(made, 'ess'))
      made.cluster.change({ kind: kinds.pods, namespace: 'ess', name }, (pod) => {
        pod.status = { ...pod.status, phase: 'Failed' };
      });
    await expect((await captured(made)).run()).rejects.toMatchObject({ code: 'no-match' });
  });

  test('a key that is not there, or not active, cannot be loaded by anybody', async () => {
    const made = world();
    await expect(converge.capture(input({ kid: third }), made.ctx)).rejects.toMatchObject({
      code: 'kid-missing',
    });
    await expect(converge.predict(input({ current: true }), made.ctx)).rejects.toMatchObject({
      code: 'kid-not-current',
    });
    const { run } = await captured(made);
    made.bao.kv.put(at, fields({ [first]: 1 }, first));
    await expect(run()).rejects.toMatchObject({ code: 'world-moved' });
  });

  test('at the deadline it says which pods are not proven, and why', async () => {
    const made = await captured(world(), input({ consumers: [ess] }));
    made.logs.set('ess', [...lines(first, first), 'error during properties refresh - cannot parse']);
    const done = made.run().catch((error: unknown) => error);
    await made.clock.advance(600_000, 5000);
    made.stop.abort();
    expect(await done).toMatchObject({
      code: 'timeout',
      details: podNames(made, 'ess').map((pod) => `${pod}: its last reload failed: cannot parse`),
      hint: expect.stringContaining('refresh: restart'),
    });
  });

  test('a blip of the API server while it waits is no failure', async () => {
    const made = await captured(world(), input({ consumers: [ess] }));
    const done = made.run();
    await made.clock.advance(6000);
    let down = true;
    made.cluster.hooks = {
      ...made.cluster.hooks,
      before: () => {
        if (down) throw failure(503, 'ServiceUnavailable', 'no');
      },
    };
    await made.clock.advance(12_000);
    down = false;
    made.logs.set('ess', lines(first, first, second));
    await made.clock.advance(6000);
    expect((await done).pods).toHaveLength(2);
  });

  test('predicts who waits and who is restarted, with how long that may take', async () => {
    const { ctx, cluster } = world();
    const prediction = await converge.predict(input(), ctx);
    expect(prediction).toMatchObject({
      changes: true,
      diff: [
        { path: 'ess-api', after: 'waits until it reloads by its schedule' },
        { path: 'api-keys', after: 'restarted' },
      ],
    });
    expect(prediction.duration?.max).toBeGreaterThanOrEqual(15 * 60_000);
    expect(cluster.writes).toEqual([]);
  });

  test('a service that only loads at start cannot be waited for', () => {
    expect(converge.check?.(input({ consumers: [{ ...apiKeys, refresh: 'wait' }] }))).toMatchObject([
      { path: ['consumers', '0', 'refresh'] },
    ]);
  });
});

describe('what is observed of a convergence', () => {
  test('not-applied, in-progress, applied, conflict and unknown', async () => {
    const made = await captured();
    made.logs.set('ess', lines(first, first, second));
    expect(await made.look()).toMatchObject({
      state: 'not-applied',
      evidence: expect.stringContaining('2 of 4 pods are not proven; api-keys'),
    });
    made.cluster.hooks = { ...made.cluster.hooks, afterWrite: () => undefined };
    const done = made.run();
    await made.clock.advance(2000);
    expect(await made.look()).toMatchObject({ state: 'in-progress' });
    rollOut(
      made.cluster,
      made.cluster.read({ kind: kinds.deployments, namespace: 'api-keys', name: 'keys' }),
    );
    await made.clock.advance(6000);
    const outputs = await done;
    expect(await made.look()).toMatchObject({ state: 'applied', outputs });
    made.bao.kv.put(at, fields({ [first]: 1 }, first));
    expect(await made.look()).toMatchObject({ state: 'conflict', evidence: expect.stringContaining(second) });
    made.cluster.hooks = {
      before: () => {
        throw failure(403, 'Forbidden', 'no');
      },
    };
    expect(await made.look()).toMatchObject({ state: 'unknown' });
  });

  test('a resume knows its own restart and does not restart again', async () => {
    const made = await captured();
    made.logs.set('ess', lines(first, first, second));
    await made.run();
    await made.run();
    expect(made.cluster.writes).toEqual(['patch deployments/keys']);
  });
});
