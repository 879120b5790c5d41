import { generateIdentity } from 'age-encryption';
import { expect, test } from 'vitest';
import { Secret } from '../../../src/engine/secret.ts';
import { kinds } from '../../../src/services/kubernetes.ts';
import { secretBackup } from '../../../src/steps/kubectl/secret-backup.ts';
import { secretRestore } from '../../../src/steps/kubectl/secret-restore.ts';
import { backupRig, identity, recipients } from '../../fakes/backup-rig.ts';
import { failureOf } from '../../fakes/helm-steps.ts';

const at = { namespace: 'vault-system', name: 'openbao-server-unseal' };
const ref = { kind: kinds.secrets, ...at };
const save = { ...at, file: 'backup/unseal.age', recipients };
const back = { ...at, file: save.file, identity };

async function saved() {
  const rig = await backupRig();
  const protectedOnes: Secret[] = [];
  const own = () => ({ ...rig.own(), protect: (secret: Secret) => void protectedOnes.push(secret) });
  const ctx = own();
  const before = await secretBackup.capture(save, ctx);
  const outputs = await secretBackup.run(save, { ...ctx, before });
  const data = (await rig.ctx.services.kubernetes.get(ref))?.data as Record<string, string>;
  const key = Buffer.from(data.unseal_key ?? '', 'base64').toString();
  return { ...rig, own, ctx, before, outputs, data, key, protectedOnes };
}

test('kubectl.secret-backup writes a Secret so that only the identity opens it, and returns no value', async () => {
  const { ctx, before, outputs, files, key, protectedOnes } = await saved();
  expect(outputs).toMatchObject({ file: save.file, keys: ['unseal_key'], ...at });
  const text = Buffer.from(files.content.get(save.file) ?? []).toString('latin1');
  expect(text).toContain('age-encryption.org');
  expect(text).not.toContain(key);
  expect(JSON.stringify(outputs)).not.toContain(key);
  // Nobody can print it from the moment it was read.
  expect(protectedOnes.some((secret) => secret.equals(Secret.fromText('key', key)))).toBe(true);
  expect(await secretBackup.observe(save, before, ctx)).toMatchObject({ state: 'applied', outputs });
});

test('kubectl.secret-backup knows its own file from another, and writes over none', async () => {
  const { ctx, own, before, files } = await saved();
  const look = (context = ctx) => secretBackup.observe(save, before, context);
  // The same file, seen by an instance that did not make it.
  expect(await look(own())).toMatchObject({ state: 'conflict' });
  expect(await failureOf(secretBackup.capture(save, own()))).toMatchObject({
    code: 'file-exists',
    outcome: 'not-applied',
  });
  files.unreadable = new Error('Cannot look at backup/unseal.age: permission denied');
  expect(await look()).toMatchObject({ state: 'unknown' });
  files.unreadable = undefined;
  files.content.delete(save.file);
  expect(await look()).toMatchObject({ state: 'not-applied' });
});

test('kubectl.secret-backup refuses an identity in place of a recipient, and a Secret that is not there', async () => {
  const rig = await backupRig();
  const wrong = await failureOf(secretBackup.capture({ ...save, recipients: [identity] }, rig.own()));
  expect(wrong).toMatchObject({ code: 'backup-recipients', outcome: 'not-applied' });
  expect(wrong.message).not.toContain(identity);
  expect(await failureOf(secretBackup.capture({ ...save, name: 'nothing' }, rig.own()))).toMatchObject({
    code: 'not-found',
  });
  expect(rig.files.content.size).toBe(0);
});

test('kubectl.secret-restore makes a Secret again that is missing, as it was', async () => {
  const { own, ctx, data } = await saved();
  const { kubernetes } = ctx.services;
  const labels = (await kubernetes.get(ref))?.metadata.labels;
  await kubernetes.delete(ref, {});
  const instance = own();
  expect(await secretRestore.predict(back, instance)).toMatchObject({
    changes: true,
    outputs: { created: true, keys: ['unseal_key'] },
  });
  const before = await secretRestore.capture(back, instance);
  expect(await secretRestore.observe(back, before, instance)).toMatchObject({ state: 'not-applied' });
  const outputs = await secretRestore.run(back, { ...instance, before });
  expect(outputs).toEqual({ created: true, keys: ['unseal_key'] });
  const made = await kubernetes.get(ref);
  expect(made).toMatchObject({ type: 'Opaque', data });
  expect(made?.metadata.labels).toEqual(labels);
  expect(await secretRestore.observe(back, before, instance)).toMatchObject({ state: 'applied', outputs });
  // What is there already is left alone.
  expect(await secretRestore.predict(back, own())).toMatchObject({ changes: false });
});

test('kubectl.secret-restore never overwrites, and says which value differs without showing it', async () => {
  const { own, ctx, data } = await saved();
  const other = Buffer.from('somebody-elses-key').toString('base64');
  const instance = own();
  const before = await secretRestore.capture(back, instance);
  await ctx.services.kubernetes.patch(ref, { type: 'merge', body: { data: { unseal_key: other } } });
  for (const call of [secretRestore.predict, secretRestore.capture]) {
    const failure = await failureOf(Promise.resolve(call(back, own())));
    expect(failure).toMatchObject({ code: 'secret-differs', outcome: 'not-applied' });
    expect(failure.message).toContain('unseal_key');
    expect(`${failure.message} ${failure.hint}`).not.toMatch(/somebody-elses-key|c29tZWJvZH/);
  }
  expect(await failureOf(secretRestore.run(back, { ...own(), before }))).toMatchObject({
    code: 'secret-differs',
  });
  expect(await secretRestore.observe(back, before, instance)).toMatchObject({ state: 'conflict' });
  expect((await ctx.services.kubernetes.get(ref))?.data).toEqual({ ...data, unseal_key: other });
});

test('kubectl.secret-restore refuses a file of another Secret, a damaged one and the wrong identity', async () => {
  const { own, files } = await saved();
  const refused = (input: typeof back) => failureOf(secretRestore.capture(input, own()));
  expect(await refused({ ...back, name: 'openbao-server-root-token' })).toMatchObject({
    code: 'backup-unreadable',
    message: expect.stringContaining('vault-system/openbao-server-unseal'),
  });
  expect(await refused({ ...back, file: 'nowhere.age' })).toMatchObject({ code: 'not-found' });
  const stranger = await generateIdentity();
  expect(await refused({ ...back, identity: stranger })).toMatchObject({ code: 'backup-unreadable' });
  files.content.set(back.file, Buffer.from('age-encryption.org/v1 and nothing more'));
  expect(await refused(back)).toMatchObject({ code: 'backup-unreadable', outcome: 'not-applied' });
});

test('kubectl.secret-restore does not know what it may not read', async () => {
  const { own, sandbox } = await saved();
  const instance = own();
  const before = await secretRestore.capture(back, instance);
  sandbox.control.deny({ resource: 'secrets' });
  expect(await secretRestore.observe(back, before, instance)).toMatchObject({ state: 'unknown' });
});
