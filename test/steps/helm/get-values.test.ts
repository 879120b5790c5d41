import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { getValues } from '../../../src/steps/helm/get-values.ts';
import { byHand, helmRig, versions } from '../../fakes/helm-steps.ts';
import { MemoryFiles } from '../../fakes/memory-files.ts';

const input = { namespace: 'nvcf', release: 'invocation-service', file: 'backup/values.yaml' };

test('helm.get-values writes what the user supplied, once, and proves it', async () => {
  const rig = await helmRig();
  const before = await getValues.capture(input, rig.ctx);
  const look = () => getValues.observe(input, before, rig.ctx);
  expect(await getValues.predict(input, rig.ctx)).toMatchObject({ changes: true, outputs: { revision: 1 } });
  expect(await look()).toMatchObject({ state: 'not-applied' });
  const outputs = await getValues.run(input, rig.ctx);
  const written = rig.files.content.get(input.file) ?? new Uint8Array();
  expect(JSON.parse(Buffer.from(written).toString())).toEqual({ replicaCount: 1 });
  expect(outputs).toEqual({
    file: input.file,
    revision: 1,
    bytes: written.length,
    sha256: createHash('sha256').update(written).digest('hex'),
  });
  expect(await look()).toMatchObject({ state: 'applied', outputs });
  expect(await getValues.predict(input, rig.ctx)).toMatchObject({ changes: false });
  // A later revision does not make an old backup another one.
  await byHand(rig, versions.good);
  expect(await look()).toMatchObject({ state: 'applied', outputs });
});

test('helm.get-values never overwrites', async () => {
  const rig = await helmRig();
  const before = await getValues.capture(input, rig.ctx);
  await rig.files.create(input.file, Buffer.from('something else'));
  for (const call of [getValues.predict(input, rig.ctx), getValues.run(input, rig.ctx)])
    await expect(call).rejects.toMatchObject({ code: 'file-exists', outcome: 'not-applied' });
  expect(await getValues.observe(input, before, rig.ctx)).toMatchObject({ state: 'conflict' });
});

test('helm.get-values does not know what it may not read, and says why it cannot write', async () => {
  const rig = await helmRig();
  const before = await getValues.capture(input, rig.ctx);
  const files = new MemoryFiles();
  files.create = async () => {
    throw new Error('Cannot create backup/values.yaml: no space left');
  };
  const full = rig.context({ services: { ...rig.ctx.services, files } });
  await expect(getValues.run(input, full)).rejects.toMatchObject({
    code: 'file-not-written',
    message: expect.stringContaining('no space left'),
  });
  await getValues.run(input, rig.ctx);
  rig.sandbox.control.deny({ resource: 'secrets' });
  expect(await getValues.observe(input, before, rig.ctx)).toMatchObject({ state: 'unknown' });
});

test('helm.get-values is in progress for nobody: a file is there whole or not at all', async () => {
  const rig = await helmRig();
  const before = await getValues.capture({ ...input, revision: 1 }, rig.ctx);
  expect(before.state).toEqual({ revision: 1 });
  expect(typeof getValues.undo).toBe('object');
});
