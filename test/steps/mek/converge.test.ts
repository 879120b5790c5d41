import { describe, expect, test } from 'vitest';
import { kinds } from '../../../src/services/kubernetes.ts';
import { converge } from '../../../src/steps/mek/converge.ts';
import { putPod, rollOut } from '../../fakes/rollout-objects.ts';
import { aged, apiKeys, captured, ess, input, lines, podNames, world } from './consumers-world.ts';
import { at, fields, first, second, third } from './rig.ts';

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

  test('leaves alone what was made well after the document was written, and nothing that was made near that moment', async () => {
    const made = world();
    made.logs.set('ess', lines(first, first, second));
    // The document is of 2026-01-05T09:00:02Z, by another clock.
    for (const [age, state] of [
      ['2026-01-05T09:05:02Z', 'not-applied'],
      ['2026-01-05T09:05:03Z', 'applied'],
    ] as const) {
      aged(made, age);
      expect(await (await captured(made)).look()).toMatchObject({ state });
    }
  });

  test('restarts again after the document was written again: an earlier restart proves nothing about it', async () => {
    const made = await captured();
    made.logs.set('ess', lines(second, second, first));
    await made.run();
    aged(made, '2026-01-05T09:00:02Z');
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

  test('a metric proves nothing about a version that left the active key as it was', async () => {
    const made = world();
    made.bao.kv.put(at, fields({ [second]: 2, [first]: 1 }, second));
    made.bao.kv.put(at, fields({ [second]: 2, [first]: 1, [third]: 3 }, second));
    made.logs.set('ess', []);
    for (const pod of podNames(made, 'ess'))
      made.http.answers.set(pod, 'rotation_mek_delta{kid="000***002"} 123\n');
    const { look } = await captured(made, input({ current: true, consumers: [ess] }));
    expect(await look()).toMatchObject({
      state: 'not-applied',
      evidence: expect.stringContaining('its log says nothing about keys'),
    });
  });

  test.each([
    ['lacks a key that came back', [second], `not ${first}`],
    ['still holds a key that was taken out', [second, first, third], `still ${third}`],
  ])('a pod that %s has not loaded the document, whatever it uses', async (_, kids, why) => {
    const made = world();
    made.bao.kv.put(at, fields({ [second]: 2, [first]: 1 }, second));
    made.logs.set('ess', lines(second, ...kids));
    const { look } = await captured(made, input({ current: true, consumers: [ess] }));
    expect(await look()).toMatchObject({ state: 'not-applied', evidence: expect.stringContaining(why) });
    made.logs.set('ess', lines(second, second, first));
    expect(await look()).toMatchObject({ state: 'applied' });
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
});
