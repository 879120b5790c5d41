import { describe, expect, test } from 'vitest';
import { verify } from '../../../src/steps/nek/verify.ts';
import { refused } from '../../fakes/memory-nek-store.ts';
import {
  credentialsAt,
  denied,
  documentAt,
  mekFields,
  nekRig,
  password,
  place,
} from '../../fakes/nek-rig.ts';
import { lostMek, mekBytes, nekOf, nekRow, newMek, oldMek, seal, timeuuid } from '../../fakes/nek-rows.ts';

const lenient = { ...place, mustPass: false };
const good = { mek: newMek, status: 'VALIDATED' };
const later = Date.parse('2027-01-02T00:00:00Z');

describe('nek.verify', () => {
  test('opens what ESS would read, and says whose it is', async () => {
    const { ctx, store, guarded } = nekRig();
    store.put(nekRow({ namespace: 'a', encryptedAt: 1 }), nekRow({ namespace: 'a', ...good }));
    store.put(nekRow({ namespace: 'b', mek: newMek }));
    expect(await verify.run(place, ctx)).toEqual({
      kid: newMek,
      total: 2,
      checked: 2,
      sampled: false,
      seed: 'run-1/step',
      ok: true,
      failures: [],
      failureCount: 0,
      summary: `all 2 namespace keys are in order under ${newMek}`,
    });
    expect(store.closed).toBe(1);
    expect(store.targets[0]).toMatchObject({ keyspace: 'ess_api', datacenter: 'ncp' });
    expect(store.targets[0]?.password.revealText((text) => text === password)).toBe(true);
    const keys = [oldMek, newMek].map((kid) => mekBytes(kid).toString('base64url'));
    expect(guarded.map((secret) => secret.revealText((text) => text)).sort()).toEqual(
      [...keys, password].sort(),
    );
  });

  test('an old row below, a pending one above and a new key that waits are in order', async () => {
    const { ctx, store } = nekRig();
    store.put(
      nekRow({ ...good, encryptedAt: 5 }),
      nekRow({ ...good, encryptedAt: 9, status: 'PENDING_REENCRYPTION' }),
      nekRow({ encryptedAt: 2, header: { version: 7 } }),
      nekRow({ seed: 'next', status: 'PENDING_ROTATION', currentKid: nekOf('nvcf').kid }),
    );
    expect(await verify.run(place, ctx)).toMatchObject({
      ok: true,
      summary: expect.stringContaining('1 of them wait'),
    });
  });

  const jwe = (header: object | string, text = nekOf('nvcf').k) => ({
    columns: { encryptedKey: seal(header, mekBytes(newMek), text) },
  });
  const row = nekRow(good);
  const fullHeader = {
    alg: 'dir',
    enc: 'A256GCM',
    kid: newMek,
    version: 1,
    namespace: 'nvcf',
    createdAt: row.createdAt,
    encryptedAt: row.encryptedAt,
  };
  const cut = (row.encryptedKey ?? '').split('.');
  const part = (index: number, to: (text: string) => string) => ({
    columns: { encryptedKey: cut.map((text, at) => (at === index ? to(text) : text)).join('.') },
  });
  const flip = (text: string) => `${text.startsWith('A') ? 'B' : 'A'}${text.slice(1)}`;
  const longTag = (text: string) => Buffer.from(text, 'base64url').subarray(0, 4).toString('base64url');

  test.each([
    ['still under the old key', { mek: oldMek }, 'still wrapped'],
    [
      'under a key that nobody has',
      { columns: { encryptedByKid: lostMek }, header: { kid: lostMek } },
      'not in the set',
    ],
    ['without a status', { status: null }, 'status'],
    ['with a status of tomorrow', { status: 'ARCHIVED' }, 'status'],
    ['a ghost', { columns: { encryptedKey: null, createdAt: null, encryptedByKid: null } }, 'empty'],
    ['of another namespace', { header: { namespace: 'other' } }, 'another namespace'],
    ['of another creation', { header: { createdAt: timeuuid(2) } }, 'created_at'],
    ['wrapped at another time', { header: { encryptedAt: row.encryptedAt + 1 } }, 'encrypted_at'],
    ['with a time as text', { header: { encryptedAt: String(row.encryptedAt) } }, 'encrypted_at'],
    ['whose header names the other key', { header: { kid: oldMek } }, 'another master key'],
    ['without a version', { header: { version: undefined } }, 'version'],
    ['with another version', { header: { version: 2 } }, 'version'],
    ['that says none', { header: { alg: 'none' } }, 'dir and A256GCM'],
    ['without enc', { header: { enc: undefined } }, 'dir and A256GCM'],
    ['of another cipher', { header: { enc: 'A128CBC-HS256' } }, 'dir and A256GCM'],
    ['with zip', { header: { zip: 'DEF' } }, 'member zip'],
    ['with crit', { header: { crit: 'x' } }, 'member crit'],
    ['with a nested member', { header: { crit: ['exp'] } }, 'flat'],
    ['without a kid', { header: { kid: undefined } }, 'names no master key'],
    ['that holds another key', jwe(fullHeader, nekOf('other').k), 'another key than its kid'],
    ['that holds no key', jwe(fullHeader, 'x'.repeat(44)), 'no key of 32 bytes'],
    ['that holds a key in sloppy base64url', jwe(fullHeader, `${'A'.repeat(42)}B`), 'no key of 32 bytes'],
    ['with a name twice', jwe(JSON.stringify(fullHeader).replace('{', '{"kid":"x",')), 'names of its own'],
    ['with a header that is no object', jwe('[1]'), 'flat'],
    ['of four parts', { columns: { encryptedKey: cut.slice(0, 4).join('.') } }, 'compact JWE'],
    ['with a key part', part(1, () => 'AAAA'), 'compact JWE'],
    ['with a short tag', part(4, longTag), 'IV or a tag'],
    ['with a short IV', part(2, () => 'AAAA'), 'IV or a tag'],
    ['with a line feed', { columns: { encryptedKey: `${row.encryptedKey}\n` } }, 'canonical'],
    ['with a flipped bit', part(3, flip), 'does not open'],
    ['that is far too long', { columns: { encryptedKey: 'A'.repeat(9000) } }, 'too long'],
    ['that nobody promoted', { status: 'PENDING_REENCRYPTION' }, 'no row that ESS could read'],
  ] as const)('a key whose newest row is %s is a failure', async (_, wish, reason) => {
    const { ctx, store } = nekRig();
    store.put(nekRow({ ...good, ...wish }));
    const outputs = await verify.run(lenient, ctx);
    expect(outputs).toMatchObject({ ok: false, failureCount: 1 });
    expect(outputs.failures[0]?.reason).toContain(reason);
    expect(outputs.failures[0]).toMatchObject({ namespace: 'nvcf', kid: nekOf('nvcf').kid });
  });

  test('a good row below does not hide a damaged one that ESS passes over', async () => {
    const { ctx, store } = nekRig();
    store.put(nekRow(good), nekRow({ ...good, encryptedAt: later, header: { namespace: 'other' } }));
    expect(await verify.run(lenient, ctx)).toMatchObject({ ok: false, failureCount: 1 });
  });

  test('a namespace whose current key has no row is a failure, also when nothing of it is sampled', async () => {
    const { ctx, store } = nekRig();
    for (const namespace of ['a', 'b', 'c'])
      store.put(nekRow({ namespace, ...good, currentKid: namespace === 'b' ? 'gone' : null }));
    expect(await verify.run({ ...lenient, sample: 1 }, ctx)).toMatchObject({
      total: 3,
      checked: 1,
      sampled: true,
      failures: [{ namespace: 'b', kid: '', reason: 'its current_kid has no row' }],
    });
  });

  test('fails the step unless it was asked only to tell, and names what is wrong', async () => {
    const { ctx, store } = nekRig();
    store.put(nekRow());
    await expect(verify.run(place, ctx)).rejects.toMatchObject({
      code: 'nek-unproven',
      outcome: 'not-applied',
      details: [`nvcf ${nekOf('nvcf').kid}: it is still wrapped by the master key ${oldMek}`],
    });
  });

  test('the same seed gives the same sample, whatever the pages are', async () => {
    const failuresOf = async (seed: string) => {
      const { ctx, store } = nekRig();
      // Every key is wrong, so that the failures name the sample.
      for (let index = 0; index < 60; index++) store.put(nekRow({ namespace: `ns-${index}` }));
      const { failures } = await verify.run({ ...lenient, sample: 10, seed }, ctx);
      return failures.map(({ namespace }) => namespace).sort();
    };
    const first = await failuresOf('a');
    expect(first).toHaveLength(10);
    expect(await failuresOf('a')).toEqual(first);
    expect(await failuresOf('b')).not.toEqual(first);
  });

  test('a key whose rows lie on two pages is judged as one', async () => {
    const { ctx, store } = nekRig();
    for (let index = 0; index < 2000; index++)
      store.put(nekRow({ ...good, encryptedAt: index, ...(index < 1999 && { mek: oldMek }) }));
    expect(await verify.run(lenient, ctx)).toMatchObject({ total: 1, ok: true });
  });

  test('what cannot be read is never taken for empty or fine', async () => {
    const { ctx, bao, store } = nekRig();
    store.put(nekRow(good));
    store.gate = (call) => {
      if (call === 'scan') throw refused('the table is gone');
    };
    await expect(verify.run(place, ctx)).rejects.toMatchObject({
      code: 'cassandra-error',
      outcome: 'not-applied',
    });
    bao.kv.put(credentialsAt, { username: 'x' });
    await expect(verify.run(place, ctx)).rejects.toMatchObject({ code: 'cassandra-credentials' });
    bao.kv.put(documentAt, { ...mekFields([newMek]), keys: 'bm90IGpzb24=' });
    await expect(verify.run(place, ctx)).rejects.toMatchObject({ code: 'mek-document-invalid' });
    bao.kv.put(documentAt, mekFields([newMek, oldMek], oldMek));
    await expect(verify.run(place, ctx)).rejects.toMatchObject({ code: 'mek-document-invalid' });
    bao.kv.delete(documentAt, 3);
    await expect(verify.run(place, ctx)).rejects.toMatchObject({ code: 'kv-deleted' });
    bao.kv.failure = denied();
    await expect(verify.run(place, ctx)).rejects.toMatchObject({
      code: 'policy-missing',
      details: expect.arrayContaining(['path "services/all/kv/data/encryption/keys/stored_data" {']),
    });
    bao.nodes.set('bao-0', { sealed: true });
    await expect(verify.run(place, ctx)).rejects.toMatchObject({ code: 'no-active-pod' });
  });

  test('a run that is stopped says that it is not done', async () => {
    const { ctx, store, stop } = nekRig();
    for (let index = 0; index < 5; index++) store.put(nekRow({ namespace: `ns-${index}`, ...good }));
    store.gate = (call) => {
      if (call === 'scan') stop.abort();
    };
    await expect(verify.run(place, ctx)).rejects.toMatchObject({ code: 'aborted' });
  });
});
