import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { decryptBackup } from '../../../src/keys/backup.ts';
import { AGE_PAIR } from '../../../src/sandbox/inputs.ts';
import { getValues } from '../../../src/steps/helm/get-values.ts';
import { byHand, failureOf, helmRig, versions } from '../../fakes/helm-steps.ts';
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
    encrypted: false,
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
  // One that it did not write itself can only be compared with the release.
  await rig.files.create(input.file, Buffer.from('{}'));
  rig.sandbox.control.deny({ resource: 'secrets' });
  expect(await getValues.observe(input, before, rig.ctx)).toMatchObject({ state: 'unknown' });
});

test('helm.get-values is in progress for nobody: a file is there whole or not at all', async () => {
  const rig = await helmRig();
  const before = await getValues.capture({ ...input, revision: 1 }, rig.ctx);
  expect(before.state).toEqual({ revision: 1 });
  expect(typeof getValues.undo).toBe('object');
});

const api = { namespace: 'nvcf', release: 'api', file: 'backup/api.yaml' };
const sealed = { ...api, file: 'backup/api.yaml.age', recipients: [AGE_PAIR.recipient] };

test('helm.get-values names the paths of what looks like a secret, never the value, and writes nothing', async () => {
  const rig = await helmRig();
  const { values } = await rig.helm.release(api, rig.ctx.signal);
  const secret = values.revealText((text) => JSON.parse(text).accountBootstrap.registryCredential as string);
  for (const call of [getValues.predict, getValues.capture, getValues.run]) {
    const failure = await failureOf(call(api, rig.ctx));
    expect(failure).toMatchObject({ code: 'values-hold-secrets', outcome: 'not-applied' });
    expect(failure.details).toEqual(['accountBootstrap.registryCredential']);
    expect(`${failure.message} ${failure.details.join(' ')} ${failure.hint}`).not.toContain(secret);
  }
  expect(rig.files.content.size).toBe(0);
  const plain = await getValues.run({ ...api, plain: true }, rig.ctx);
  expect(plain).toMatchObject({ encrypted: false });
  expect(Buffer.from(rig.files.content.get(api.file) ?? []).toString()).toContain(secret);
});

test('helm.get-values encrypts to its recipients, and knows its own file again', async () => {
  const rig = await helmRig();
  const before = await getValues.capture(sealed, rig.ctx);
  const look = () => getValues.observe(sealed, before, rig.ctx);
  const predicted = await getValues.predict(sealed, rig.ctx);
  expect(predicted).toMatchObject({ changes: true, outputs: { encrypted: true } });
  const outputs = await getValues.run(sealed, rig.ctx);
  const written = rig.files.content.get(sealed.file) ?? new Uint8Array();
  expect(outputs).toMatchObject({
    encrypted: true,
    bytes: written.length,
    sha256: createHash('sha256').update(written).digest('hex'),
  });
  expect(Buffer.from(written).toString('latin1')).not.toContain('registryCredential');
  const opened = await decryptBackup(written, { identity: AGE_PAIR.identity });
  const values = await rig.helm.values(api, rig.ctx.signal);
  expect(opened.ok && values.reveal((wanted) => Buffer.from(wanted).equals(opened.plain))).toBe(true);
  expect(await look()).toMatchObject({ state: 'applied', outputs });
  expect(await getValues.run(sealed, rig.ctx)).toEqual(outputs);
  // The same values, encrypted by somebody else, are another file.
  rig.files.content.set(
    sealed.file,
    written.map((byte, at) => (at === written.length - 1 ? byte ^ 1 : byte)),
  );
  expect(await look()).toMatchObject({ state: 'conflict' });
});

test('helm.get-values refuses a recipient that is none before anything is written', async () => {
  const rig = await helmRig();
  const wrong = { ...sealed, recipients: [AGE_PAIR.identity] };
  const failure = await failureOf(getValues.capture(wrong, rig.ctx));
  expect(failure).toMatchObject({ code: 'backup-recipients', outcome: 'not-applied' });
  expect(failure.message).not.toContain(AGE_PAIR.identity);
  expect(rig.files.content.size).toBe(0);
});
