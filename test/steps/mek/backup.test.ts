import { createHash } from 'node:crypto';
import { Decrypter, generateIdentity, identityToRecipient } from 'age-encryption';
import { beforeAll, describe, expect, test } from 'vitest';
import { Secret } from '../../../src/engine/secret.ts';
import type { MekBackupWith } from '../../../src/generated/types.ts';
import { NekStoreError } from '../../../src/services/nek-store.ts';
import { backup } from '../../../src/steps/mek/backup.ts';
import { failure } from '../../fakes/steps-kubernetes.ts';
import type { MekRig } from './rig.ts';
import { at, cassandra, fields, first, keyText, mekRig, openbao, second, wrappedRow } from './rig.ts';

let identity = '';
let recipients: readonly string[] = [];

beforeAll(async () => {
  identity = await generateIdentity();
  recipients = [await identityToRecipient(await generateIdentity()), await identityToRecipient(identity)];
});

function input(more: object = {}): MekBackupWith {
  const secret = Secret.fromText('identity', identity);
  return {
    openbao,
    cassandra,
    file: '/backups/mek.age',
    recipients,
    identity: secret,
    ...more,
  } as unknown as MekBackupWith;
}

function world(): MekRig {
  const rig = mekRig();
  rig.store.rows = [wrappedRow({ kid: first, byte: 1 })];
  return rig;
}

async function captured(made: MekRig = world(), using: MekBackupWith = input()) {
  const before = await backup.capture(using, made.ctx);
  const ctx = { ...made.ctx, before };
  return {
    ...made,
    before,
    run: () => backup.run(using, ctx),
    look: () => backup.observe(using, before, ctx),
  };
}

describe('mek.backup', () => {
  test('writes one encrypted file that age itself opens, with every byte of the document in it', async () => {
    const { run, files, bao, progress } = await captured();
    const [row] = [wrappedRow({ kid: first, byte: 1 })];
    const outputs = await run();
    const bytes = files.all.get('/backups/mek.age') ?? new Uint8Array();
    expect(outputs).toEqual({
      file: '/backups/mek.age',
      sha256: createHash('sha256').update(bytes).digest('hex'),
      bytes: bytes.length,
      version: 2,
      kids: [first, second],
      provenWith: `nvcf/${row?.kid}`,
    });
    const age = new Decrypter();
    age.addIdentity(identity);
    const content = JSON.parse(await age.decrypt(bytes, 'text'));
    expect(content).toMatchObject({ format: 'runbook-mek-backup/v1', cluster: 'cluster', version: 2, ...at });
    expect(JSON.parse(Buffer.from(content.data, 'base64').toString())).toEqual(bao.kv.peek(at));
    const shown = `${JSON.stringify([outputs, progress])}${Buffer.from(bytes).toString('latin1')}`;
    for (const text of [keyText(1), keyText(101), identity]) expect(shown).not.toContain(text);
    expect([...files.all.keys()]).toEqual(['/backups/mek.age']);
  });

  test('with a passphrase instead', async () => {
    const passphrase = Secret.fromText('passphrase', 'canary passphrase');
    const using = input({ recipients: undefined, identity: undefined, passphrase });
    const { recipients: _, identity: __, ...left } = using;
    const { run, files } = await captured(world(), left);
    await run();
    const age = new Decrypter();
    age.addPassphrase('canary passphrase');
    const text = await age.decrypt(files.all.get('/backups/mek.age') ?? new Uint8Array(), 'text');
    expect(JSON.parse(text)).toMatchObject({ version: 2 });
  }, 60_000);

  test('a cluster without namespace keys says so', async () => {
    const rig = mekRig();
    const { run } = await captured(rig);
    expect((await run()).provenWith).toBe(`there is no namespace key yet; active is ${first}`);
  });

  test('is refused without a way to decrypt, and with an identity that fits no recipient', async () => {
    const rig = world();
    const other = Secret.fromText('identity', await generateIdentity());
    for (const more of [{ identity: undefined }, { identity: other }]) {
      const { identity: _, ...rest } = input();
      const using = more.identity === undefined ? rest : input(more);
      for (const ask of [backup.capture, backup.predict])
        await expect(ask(using, rig.ctx)).rejects.toMatchObject({ code: 'backup-unproven' });
    }
    expect(rig.bao.calls).toEqual([]);
    expect(backup.check?.({ ...input(), passphrase: 'x' })).toMatchObject([{ path: ['recipients'] }]);
  });

  test('is refused for recipients that are none, and repeats none of them', async () => {
    const rig = world();
    const asked = backup.capture(input({ recipients: ['age1nonsense'] }), rig.ctx);
    await expect(asked).rejects.toMatchObject({ code: 'backup-recipients' });
    const swapped = await backup
      .capture(input({ recipients: [identity] }), rig.ctx)
      .catch((error: Error) => error.message);
    expect(swapped).not.toContain(identity.slice(0, 24));
  });

  test('a file that exists is refused, whenever it came', async () => {
    const rig = world();
    const { run } = await captured(rig);
    rig.files.all.set('/backups/mek.age', new Uint8Array([1]));
    await expect(backup.predict(input(), rig.ctx)).rejects.toMatchObject({ code: 'backup-exists' });
    await expect(run()).rejects.toMatchObject({ code: 'backup-exists', outcome: 'unknown' });
    expect(rig.files.all.get('/backups/mek.age')).toEqual(new Uint8Array([1]));
  });

  test('another version than the one that was expected, or captured, is refused', async () => {
    const rig = world();
    await expect(backup.capture(input({ version: 1 }), rig.ctx)).rejects.toMatchObject({
      code: 'world-moved',
    });
    const { run } = await captured(rig);
    rig.bao.kv.put(at, fields({ [first]: 1 }, first));
    await expect(run()).rejects.toMatchObject({ code: 'world-moved' });
    expect(rig.files.all.size).toBe(0);
  });

  test('what the disk gives back is what counts', async () => {
    const rig = world();
    const { run } = await captured(rig);
    const create = rig.files.create;
    rig.files.create = async (path, content) => {
      await create(path, content);
      rig.files.all.get(path)?.fill(0, 400, 401);
    };
    await expect(run()).rejects.toMatchObject({
      code: 'backup-unproven',
      message: expect.stringContaining('does not hold what was written'),
    });
  });

  test('a disk that is full leaves nothing, and says why', async () => {
    const rig = world();
    const { run, look } = await captured(rig);
    rig.files.create = async () => {
      throw new Error('Cannot create /backups/mek.age: the disk is full');
    };
    await expect(run()).rejects.toMatchObject({
      code: 'file-not-written',
      message: 'Cannot create /backups/mek.age: the disk is full.',
    });
    expect(await look()).toMatchObject({ state: 'not-applied' });
  });

  test('a copy that opens no stored namespace key proves nothing', async () => {
    const rig = world();
    rig.store.rows = [
      wrappedRow({ kid: first, byte: 9 }),
      wrappedRow({ kid: first, byte: 1 }, { status: null }),
    ];
    const { run, look } = await captured(rig);
    await expect(run()).rejects.toMatchObject({
      code: 'backup-unproven',
      details: [expect.stringContaining('decrypt'), expect.stringContaining('status-missing')],
    });
    expect(await look()).toMatchObject({ state: 'conflict' });
    // A second row that opens is enough.
    rig.store.rows = [...rig.store.rows, wrappedRow({ kid: second, byte: 2 }, { namespace: 'other' })];
    expect(await look()).toMatchObject({
      state: 'applied',
      outputs: { provenWith: expect.stringMatching(/^other\//) },
    });
  });

  test('predicts the file, and warns about a single recipient', async () => {
    const { ctx, files } = world();
    const prediction = await backup.predict(input({ recipients: recipients.slice(1) }), ctx);
    expect(prediction).toMatchObject({
      diff: [
        {
          path: '/backups/mek.age',
          after: 'version 2 (2 in keys, 2 in private_jwks), encrypted to 1 recipient',
        },
      ],
      notes: [expect.stringContaining('one recipient'), expect.anything()],
    });
    expect(files.all.size).toBe(0);
  });

  test('observe tells not-applied, applied, conflict and unknown; a file is there whole or not at all', async () => {
    const made = await captured();
    const { run, look, files, bao, store } = made;
    expect(await look()).toMatchObject({ state: 'not-applied' });
    const outputs = await run();
    bao.kv.put(at, fields({ [second]: 2, [first]: 1 }, second));
    expect(await look()).toMatchObject({ state: 'applied', outputs });
    store.failure = new NekStoreError('down', {
      reason: 'unreachable',
      outcome: 'not-applied',
      retryable: true,
    });
    await expect(look()).rejects.toMatchObject({ code: 'cassandra-unreachable' });
    store.failure = undefined;
    const good = files.all.get('/backups/mek.age') ?? new Uint8Array();
    files.all.set('/backups/mek.age', good.slice(0, -1));
    expect(await look()).toMatchObject({ state: 'conflict', evidence: expect.stringContaining('damaged') });
    files.all.set('/backups/mek.age', good);
    made.cluster.hooks = {
      before: () => {
        throw failure(403, 'Forbidden', 'no');
      },
    };
    expect(await look()).toMatchObject({ state: 'unknown' });
  });

  test('a backup of another version under the same name is a conflict', async () => {
    const rig = world();
    const { run } = await captured(rig);
    await run();
    rig.bao.kv.put(at, fields({ [first]: 1, [second]: 2 }, first));
    const later = { state: { version: 3 }, witnesses: [] };
    expect(await backup.observe(input(), later, rig.ctx)).toMatchObject({
      state: 'conflict',
      evidence: expect.stringContaining('holds version 2, not 3'),
    });
  });
});
