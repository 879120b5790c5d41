import { createHash } from 'node:crypto';
import { generateIdentity } from 'age-encryption';
import { expect, test } from 'vitest';
import { decryptBackup, encryptBackup } from '../../../src/keys/backup.ts';
import { AGE_PAIR } from '../../../src/sandbox/inputs.ts';
import { manifest } from '../../../src/steps/backup/manifest.ts';
import { verify } from '../../../src/steps/backup/verify.ts';
import { raftSnapshot } from '../../../src/steps/bao/raft-snapshot.ts';
import { secretBackup } from '../../../src/steps/kubectl/secret-backup.ts';
import { backup as mekBackup } from '../../../src/steps/mek/backup.ts';
import { backup as nekBackup } from '../../../src/steps/nek/backup.ts';
import { backupRig, identity, recipients } from '../../fakes/backup-rig.ts';
import { failureOf } from '../../fakes/helm-steps.ts';

const list = 'backup/manifest.json';
const proof = { manifest: list, identity };

async function parts() {
  const rig = await backupRig();
  const { openbao } = rig.place;
  const mekInput = { ...rig.place, file: 'backup/mek.age', recipients, identity };
  const ctx = rig.own();
  const before = await mekBackup.capture(mekInput, ctx);
  const secret = { namespace: 'vault-system', name: 'openbao-server-unseal' };
  const input = {
    file: list,
    openbao: await raftSnapshot.run({ ...openbao, file: 'backup/openbao.snap' }, rig.own()),
    mek: await mekBackup.run(mekInput, { ...ctx, before }),
    namespaceKeys: await nekBackup.run({ ...rig.place, file: 'backup/neks.age', recipients }, rig.own()),
    secrets: {
      unseal: await secretBackup.run({ ...secret, file: 'backup/unseal.age', recipients }, rig.own()),
    },
    values: {},
    releases: [],
  };
  return { ...rig, input };
}

async function listed() {
  const made = await parts();
  await manifest.run(made.input, made.own());
  return { ...made, prove: () => verify.run(proof, made.own()) };
}

/** Other content for an encrypted file of the backup, under a digest that fits. */
async function rewrite(
  { files }: Awaited<ReturnType<typeof listed>>,
  file: string,
  change: (plain: string) => string,
): Promise<void> {
  const opened = await decryptBackup(files.content.get(file) ?? new Uint8Array(), { identity });
  if (!opened.ok) throw new Error(opened.problem);
  const text = change(Buffer.from(opened.plain).toString());
  const sealed = await encryptBackup(Buffer.from(text), { recipients: [AGE_PAIR.recipient] });
  if (!sealed.ok) throw new Error(sealed.problem);
  files.content.set(file, sealed.bytes);
  relist(files, file);
}

function relist(files: { readonly content: Map<string, Uint8Array> }, file: string): void {
  const bytes = files.content.get(file) ?? new Uint8Array();
  const text = Buffer.from(files.content.get(list) ?? []).toString();
  const value = JSON.parse(text) as { files: { file: string; sha256: string; bytes: number }[] };
  for (const entry of value.files)
    if (`backup/${entry.file}` === file) {
      entry.sha256 = createHash('sha256').update(bytes).digest('hex');
      entry.bytes = bytes.length;
    }
  files.content.set(list, Buffer.from(JSON.stringify(value)));
}

test('backup.verify opens every file and every namespace key, and asks nothing of the cluster', async () => {
  const { prove, sandbox } = await listed();
  sandbox.control.deny({});
  expect(await prove()).toMatchObject({
    ok: true,
    problems: [],
    files: 4,
    mekVersion: 1,
    rows: 12,
    opened: 12,
    masterKeys: 'backup/mek.age',
    namespaceKeys: 'backup/neks.age',
    secrets: [{ namespace: 'vault-system', name: 'openbao-server-unseal', file: 'backup/unseal.age' }],
  });
});

test('backup.verify names every file that is missing, changed, or not what it should be', async () => {
  const made = await listed();
  const { files, prove } = made;
  files.content.delete('backup/unseal.age');
  files.content.set('backup/openbao.snap', Buffer.from('no snapshot'));
  relist(files, 'backup/openbao.snap');
  const neks = Buffer.from(files.content.get('backup/neks.age') ?? []);
  neks[neks.length - 1] = (neks.at(-1) ?? 0) ^ 1;
  files.content.set('backup/neks.age', neks);
  const { ok, problems } = await prove();
  expect(ok).toBe(false);
  expect(problems).toEqual([
    'neks.age: its digest is another one',
    'unseal.age: There is no file backup/unseal.age.',
    'openbao.snap: it is no gzip stream, or one that breaks off',
  ]);
});

test('backup.verify finds parts that do not fit each other, whatever their digests say', async () => {
  const made = await listed();
  await rewrite(made, 'backup/neks.age', (text) =>
    text.replaceAll(made.input.mek.kids[0] ?? '', '11111111-0000-1000-8000-000000000001'),
  );
  const { ok, problems, opened } = await made.prove();
  expect([ok, opened]).toEqual([false, 0]);
  expect(problems[0]).toContain(
    'the master keys of the backup lack 11111111-0000-1000-8000-000000000001, which wrap rows',
  );
  expect(problems.join('\n')).toMatch(/no row of .* opens with the master keys of the backup/);
});

test('backup.verify finds a Secret that is another one, and rows that are not all there', async () => {
  const made = await listed();
  await rewrite(made, 'backup/unseal.age', (text) => text.replace('openbao-server-unseal', 'another'));
  await rewrite(made, 'backup/neks.age', (text) => {
    const [header = '', ...rows] = text.trimEnd().split('\n');
    return `${[header.replace('"rows":12', '"rows":11'), ...rows.slice(1)].join('\n')}\n`;
  });
  const { problems } = await made.prove();
  expect(problems).toEqual([
    'neks.age: it holds 11 rows, and the manifest says 12',
    'unseal.age: it is Secret vault-system/another',
  ]);
});

test('backup.verify says that an identity opens nothing, and what is no manifest', async () => {
  const { own, files } = await listed();
  const stranger = await generateIdentity();
  const { ok, problems } = await verify.run({ manifest: list, identity: stranger }, own());
  expect(ok).toBe(false);
  expect(problems.filter((problem) => problem.includes('was not encrypted to this identity'))).toHaveLength(
    3,
  );
  files.content.set(list, Buffer.from('{"format":"something/v1"}'));
  expect(await failureOf(verify.run(proof, own()))).toMatchObject({ code: 'backup-unreadable' });
  // A list that leads out of its folder.
  const away = { part: 'secret', of: 'a/b', file: '../../etc/passwd', sha256: '', bytes: 1 };
  files.content.set(list, Buffer.from(JSON.stringify({ format: 'runbook-backup/v1', files: [away] })));
  expect(await failureOf(verify.run(proof, own()))).toMatchObject({ code: 'backup-unreadable' });
});

test('backup.manifest holds no secret, and knows its own file', async () => {
  const { input, own, files } = await parts();
  const ctx = own();
  const before = await manifest.capture(input, ctx);
  expect(await manifest.observe(input, before, ctx)).toMatchObject({ state: 'not-applied' });
  const outputs = await manifest.run(input, { ...ctx, before });
  expect(await manifest.observe(input, before, ctx)).toMatchObject({ state: 'applied', outputs });
  expect(await manifest.observe(input, before, own())).toMatchObject({ state: 'conflict' });
  files.unreadable = new Error('Cannot look');
  expect(await manifest.observe(input, before, ctx)).toMatchObject({ state: 'unknown' });
  expect(outputs.files).toBe(4);
});

test('backup.manifest refuses parts that changed, do not fit, lie elsewhere or are incomplete', async () => {
  const { input, own, files } = await parts();
  const refused = (change: object) => failureOf(manifest.run({ ...input, ...change }, own()));
  const code = (wanted: string) => ({ code: wanted, outcome: 'not-applied' });
  const { mek, namespaceKeys, openbao } = input;
  expect(await refused({ mek: { ...mek, version: 2 } })).toMatchObject(code('backup-inconsistent'));
  expect(await refused({ mek: { ...mek, kids: [] } })).toMatchObject(code('backup-inconsistent'));
  expect(await refused({ openbao: { ...openbao, sha256: '00' } })).toMatchObject(code('backup-changed'));
  expect(await refused({ file: 'elsewhere/manifest.json' })).toMatchObject(code('backup-scattered'));
  const release = {
    namespace: 'nvcf',
    release: 'api',
    revision: 2,
    status: 'deployed',
    chart: 'helm-nvcf-api',
    chartVersion: '1.25.1',
    appVersion: '1',
    updated: '',
  };
  expect(await refused({ releases: [release] })).toMatchObject(code('backup-inconsistent'));
  expect(namespaceKeys.meks).toEqual(mek.kids);
  expect(files.content.has(list)).toBe(false);
});
