import { expect, test } from 'vitest';
import type { NekRow } from '../../../src/services/nek-store.ts';
import { backup } from '../../../src/steps/nek/backup.ts';
import { restore } from '../../../src/steps/nek/restore.ts';
import { type BackupRig, backupRig, identity, recipients } from '../../fakes/backup-rig.ts';
import { failureOf } from '../../fakes/helm-steps.ts';

const file = 'backup/neks.age';

async function saved() {
  const rig = await backupRig();
  const save = { ...rig.place, file, recipients };
  const ctx = rig.own();
  const before = await backup.capture(save, ctx);
  const outputs = await backup.run(save, { ...ctx, before });
  const rows = rig.sandbox.inspect.nekRows();
  return { ...rig, save, ctx, before, outputs, rows, back: { ...rig.place, file, identity } };
}

function lose({ sandbox }: BackupRig, namespace: string): readonly NekRow[] {
  const rows = sandbox.inspect.nekRows(namespace);
  for (const row of rows) sandbox.control.deleteRow(row);
  sandbox.control.setCurrentKid(namespace, null);
  return rows;
}

test('nek.backup writes every row, wrapped and encrypted, and knows its own file', async () => {
  const { ctx, own, save, before, outputs, rows, files } = await saved();
  expect(outputs).toMatchObject({ file, rows: rows.length, namespaces: 3, keys: 12, mekVersion: 1 });
  expect(outputs.meks).toEqual([...new Set(rows.map(({ encryptedByKid }) => encryptedByKid))]);
  const text = Buffer.from(files.content.get(file) ?? []).toString('latin1');
  for (const { encryptedKey } of rows) expect(text).not.toContain(encryptedKey);
  const look = (context = ctx) => backup.observe(save, before, context);
  expect(await look()).toMatchObject({ state: 'applied', outputs });
  expect(await look(own())).toMatchObject({ state: 'conflict' });
  expect(await failureOf(backup.capture(save, own()))).toMatchObject({ code: 'file-exists' });
  files.content.delete(file);
  expect(await look()).toMatchObject({ state: 'not-applied' });
});

test('nek.backup refuses rows whose master key is gone: such a backup would open nothing', async () => {
  const rig = await backupRig();
  const [row] = rig.sandbox.inspect.nekRows();
  if (row === undefined) throw new Error('no row');
  rig.sandbox.control.updateRow(row, { encryptedByKid: '11111111-0000-1000-8000-000000000001' });
  const input = { ...rig.place, file, recipients };
  expect(await failureOf(backup.run(input, rig.own()))).toMatchObject({
    code: 'mek-missing',
    details: ['11111111-0000-1000-8000-000000000001'],
  });
  expect(rig.files.content.size).toBe(0);
});

test('nek.restore inserts what is missing, with the current key, and touches nothing else', async () => {
  const rig = await saved();
  const { back, sandbox, rows } = rig;
  const lost = lose(rig, 'nvcf');
  const ctx = rig.own();
  expect(await restore.predict(back, ctx)).toMatchObject({
    changes: true,
    outputs: { inserted: lost.length, currents: 1, there: rows.length - lost.length },
  });
  const before = await restore.capture(back, ctx);
  expect(await restore.observe(back, before, ctx)).toMatchObject({ state: 'not-applied' });
  const outputs = await restore.run(back, { ...ctx, before });
  expect(outputs).toMatchObject({ inserted: lost.length, currents: 1, there: rows.length - lost.length });
  expect(sandbox.inspect.nekRows()).toEqual(rows);
  expect(await restore.observe(back, before, ctx)).toMatchObject({ state: 'applied', outputs });
  expect(await restore.predict(back, rig.own())).toMatchObject({ changes: false });
});

test('nek.restore leaves rows alone that are other than in the backup, and a current key that is set', async () => {
  const rig = await saved();
  const { back, sandbox } = rig;
  const [row, other] = sandbox.inspect.nekRows('nvcf');
  if (row === undefined || other === undefined) throw new Error('no rows');
  sandbox.control.updateRow(row, { status: 'PENDING_ROTATION' });
  sandbox.control.deleteRow(other);
  sandbox.control.setCurrentKid('nvcf', 'somebody-elses');
  const ctx = rig.own();
  const before = await restore.capture(back, ctx);
  expect(await restore.run(back, { ...ctx, before })).toMatchObject({ inserted: 1, currents: 0 });
  const after = sandbox.inspect.nekRows('nvcf');
  expect(after.find(({ kid }) => kid === row.kid)).toMatchObject({ status: 'PENDING_ROTATION' });
  expect(after.find(({ kid }) => kid === other.kid)).toMatchObject({ encryptedKey: other.encryptedKey });
  expect(new Set(after.map(({ currentKid }) => currentKid))).toEqual(new Set(['somebody-elses']));
});

test('nek.restore writes no row that the present master keys do not open', async () => {
  const rig = await saved();
  const { back, sandbox } = rig;
  const lost = lose(rig, 'nvcf');
  // The document of another installation: none of the rows opens with it.
  expect(sandbox.control.runMigrationsJob({ misbehaving: true })).toMatchObject({ wrote: true });
  const ctx = rig.own();
  const before = await restore.capture(back, ctx);
  expect(await restore.run(back, { ...ctx, before })).toMatchObject({ inserted: 0, useless: lost.length });
  expect(sandbox.inspect.nekRows('nvcf')).toEqual([]);
});

test.each(['lost', 'not-done', 'refused'] as const)(
  'nek.restore reads back what an insert became whose answer was %s',
  async (how) => {
    const rig = await saved();
    const { back, sandbox, rows } = rig;
    lose(rig, 'nvcf');
    const ctx = rig.own();
    const before = await restore.capture(back, ctx);
    sandbox.control.mishap({ at: 'nek-insert', how });
    await restore.run(back, { ...ctx, before });
    expect(sandbox.inspect.nekRows()).toEqual(rows);
  },
);

test('nek.restore that came half way is not applied, and says that a part is there', async () => {
  const rig = await saved();
  const { back, sandbox } = rig;
  const ctx = rig.own();
  lose(rig, 'nvcf');
  const before = await restore.capture(back, ctx);
  await restore.run(back, { ...ctx, before });
  const [row] = sandbox.inspect.nekRows('nvcf');
  if (row === undefined) throw new Error('no row');
  sandbox.control.deleteRow(row);
  expect(await restore.observe(back, before, ctx)).toMatchObject({ state: 'not-applied', partial: true });
});

test('nek.restore refuses before the first write when too few nodes are up', async () => {
  const rig = await saved();
  const { back, sandbox } = rig;
  lose(rig, 'nvcf');
  const ctx = rig.own();
  const before = await restore.capture(back, ctx);
  for (const pod of ['cassandra-0', 'cassandra-1']) sandbox.control.stopNode(pod);
  expect(await failureOf(restore.run(back, { ...ctx, before }))).toMatchObject({ outcome: 'not-applied' });
  expect(sandbox.inspect.nekRows('nvcf')).toEqual([]);
});

test('nek.restore does not know what it may not look at', async () => {
  const rig = await saved();
  const ctx = rig.own();
  const before = await restore.capture(rig.back, ctx);
  rig.sandbox.control.deny({ resource: 'pods/portforward' });
  expect(await restore.observe(rig.back, before, ctx)).toMatchObject({ state: 'unknown' });
});
