import { describe, expect, test } from 'vitest';
import type { JsonObject } from '../../../src/engine/json.ts';
import { kinds } from '../../../src/services/kubernetes.ts';
import { setEnv } from '../../../src/steps/kubectl/set-env.ts';
import { putWorkload, rollOut } from '../../fakes/rollout-objects.ts';
import { stepRig } from '../../fakes/step-context.ts';
import { failure } from '../../fakes/steps-kubernetes.ts';

const target = { kind: 'Deployment', name: 'api', namespace: 'nvcf', container: 'main' } as const;
const input = { ...target, env: { MODE: 'fast', OLD: null } };
const ref = { kind: kinds.deployments, namespace: 'nvcf', name: 'api' };
const given = [
  { name: 'MODE', valueFrom: { configMapKeyRef: { name: 'env', key: 'mode' } } },
  { name: 'OLD', value: '1' },
  { name: 'KEEP', value: 'me' },
  { name: 'DB_PASSWORD', value: 'hunter2-canary' },
];

function ready(env: readonly JsonObject[] = given) {
  const rig = stepRig();
  putWorkload(rig.cluster, { env });
  rig.cluster.hooks = { afterWrite: (object, cluster) => rollOut(cluster, object) };
  return rig;
}

function envOf(rig: ReturnType<typeof ready>): unknown {
  const template = rig.cluster.read(ref).spec?.template as unknown as {
    spec: { containers: readonly { env: unknown }[] };
  };
  return template.spec.containers[0]?.env;
}

test('sets, removes, replaces a reference, keeps the others, and rolls out', async () => {
  const rig = ready();
  const outputs = await setEnv.run(input, rig.ctx);
  expect(envOf(rig)).toEqual([{ name: 'MODE', value: 'fast' }, given[2], given[3]]);
  expect(outputs).toMatchObject({ verdict: 'complete', changed: ['MODE', 'OLD'], generation: 2 });
});

test('undo puts earlier entries back, references and missing ones too', async () => {
  const rig = ready();
  const wanted = { ...input, env: { ...input.env, NEW: 'x' } };
  const before = await setEnv.capture(wanted, rig.ctx);
  const outputs = await setEnv.run(wanted, rig.ctx);
  if (typeof setEnv.undo !== 'function') throw new Error('no undo');
  await setEnv.undo(wanted, before, outputs, rig.ctx);
  expect(envOf(rig)).toEqual(expect.arrayContaining([...given]));
  expect(envOf(rig)).toHaveLength(given.length);
  expect(await setEnv.observe(wanted, before, rig.ctx)).toMatchObject({ state: 'not-applied' });
});

test('an earlier value that looks like a secret reaches neither plan nor record, and is not lost silently', async () => {
  const rig = ready();
  const wanted = { ...target, env: { DB_PASSWORD: 'changed' } };
  const predicted = await setEnv.predict(wanted, rig.ctx);
  const before = await setEnv.capture(wanted, rig.ctx);
  expect(JSON.stringify([predicted, before])).not.toContain('hunter2-canary');
  expect(predicted.notes?.[0]).toContain('cannot be put back');
  if (typeof setEnv.undo !== 'function') throw new Error('no undo');
  const undone = setEnv.undo(wanted, before, undefined, rig.ctx);
  await expect(undone).rejects.toMatchObject({
    code: 'not-recorded',
    hint: expect.stringContaining('rollout undo'),
  });
});

test('the first variables of a container are predicted one by one, secret ones without their value', async () => {
  const rig = stepRig();
  putWorkload(rig.cluster, {});
  const wanted = { ...target, env: { MODE: 'fast', DB_PASSWORD: 'hunter2-canary' } };
  const predicted = await setEnv.predict(wanted, rig.ctx);
  expect(JSON.stringify(predicted)).not.toContain('hunter2-canary');
  const lines = predicted.predictable ? predicted.diff.filter(({ path }) => path.endsWith('.value')) : [];
  expect(lines.map(({ path }) => path)).toEqual([
    'spec.template.spec.containers[main].env[MODE].value',
    'spec.template.spec.containers[main].env[DB_PASSWORD].value',
  ]);
  expect(lines[0]).toMatchObject({ after: 'fast' });
});

test('a container that is not there is named, with those that are', async () => {
  const rig = ready();
  const wrong = setEnv.run({ ...input, container: 'mian' }, rig.ctx);
  await expect(wrong).rejects.toMatchObject({ code: 'no-container', hint: 'It has: main.' });
});

describe('observe', () => {
  async function captured() {
    const rig = ready();
    const before = await setEnv.capture(input, rig.ctx);
    return { ...rig, look: () => setEnv.observe(input, before, rig.ctx) };
  }

  test('not-applied, then applied with outputs and a witness', async () => {
    const { ctx, look } = await captured();
    expect(await look()).toMatchObject({ state: 'not-applied' });
    const outputs = await setEnv.run(input, ctx);
    const seen = await look();
    expect(seen).toMatchObject({ state: 'applied', outputs: { ...outputs } });
    expect(seen.witnesses).toHaveLength(1);
  });

  test('in-progress until the pods have followed', async () => {
    const { ctx, cluster, look } = await captured();
    cluster.hooks = {};
    await setEnv.run({ ...input, wait: false }, ctx);
    expect(await look()).toMatchObject({ state: 'in-progress' });
  });

  test('conflict when somebody sets another value', async () => {
    const { ctx, look } = await captured();
    await setEnv.run({ ...input, env: { MODE: 'slow', OLD: null } }, { ...ctx, operationKey: 'other' });
    expect(await look()).toMatchObject({
      state: 'conflict',
      evidence: expect.stringContaining('somebody else'),
    });
  });

  test('unknown when it may not be read', async () => {
    const { cluster, look } = await captured();
    cluster.hooks = {
      before: (verb) => {
        if (verb === 'get') throw failure(403, 'Forbidden', 'no');
      },
    };
    expect(await look()).toMatchObject({ state: 'unknown' });
  });

  test('as wanted already, by whomever, is applied', async () => {
    const { ctx, look } = await captured();
    await setEnv.run(input, { ...ctx, operationKey: 'somebody' });
    expect(await look()).toMatchObject({ state: 'applied' });
  });
});
