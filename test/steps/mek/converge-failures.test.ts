import { describe, expect, test } from 'vitest';
import { kinds } from '../../../src/services/kubernetes.ts';
import { converge } from '../../../src/steps/mek/converge.ts';
import { rollOut } from '../../fakes/rollout-objects.ts';
import { failure } from '../../fakes/steps-kubernetes.ts';
import { apiKeys, captured, ess, input, lines, podNames, world } from './consumers-world.ts';
import { at, fields, first, second, third } from './rig.ts';

describe('mek.converge, when something is amiss', () => {
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

  test('a service without a pod is not proven, which stops nobody from going back', async () => {
    const made = await captured();
    made.logs.set('ess', lines(first, first, second));
    for (const name of podNames(made, 'keys'))
      made.cluster.remove({ kind: kinds.pods, namespace: 'api-keys', name });
    expect(await made.look()).toEqual({
      state: 'not-applied',
      evidence: '1 of 3 pods are not proven; api-keys: it has no pod now',
    });
  });

  test('a service that was restarted before another one could be proven is a part of the effect', async () => {
    const made = await captured(world(), input({ consumers: [apiKeys, ess] }));
    expect(await made.look()).not.toHaveProperty('partial');
    const done = made.run().catch(() => undefined);
    await made.clock.advance(10_000);
    made.stop.abort();
    await done;
    expect(made.cluster.writes).toEqual(['patch deployments/keys']);
    const later = { ...made.ctx, signal: new AbortController().signal };
    const using = input({ consumers: [apiKeys, ess] });
    expect(await converge.observe(using, made.before, later)).toMatchObject({
      state: 'not-applied',
      partial: true,
    });
  });

  test('a resume knows its own restart and does not restart again', async () => {
    const made = await captured();
    made.logs.set('ess', lines(first, first, second));
    await made.run();
    await made.run();
    expect(made.cluster.writes).toEqual(['patch deployments/keys']);
  });
});
