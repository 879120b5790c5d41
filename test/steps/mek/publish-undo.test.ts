import { describe, expect, test } from 'vitest';
import { Secret } from '../../../src/engine/secret.ts';
import type { NekRow } from '../../../src/services/nek-store.ts';
import { NekStoreError } from '../../../src/services/nek-store.ts';
import { captured } from './published.ts';
import { at, fields, first, second, storedKids } from './rig.ts';

function row(encryptedByKid: string, status: string): NekRow {
  return {
    namespace: 'nvcf',
    kid: 'nek',
    encryptedAt: 1,
    createdAt: null,
    encryptedByKid,
    encryptedKey: null,
    status,
    currentKid: 'nek',
  };
}

describe('the way back from mek.publish', () => {
  test('takes the key out when it is proven that nothing is encrypted with it', async () => {
    const { bao, store, run, undo, look } = await captured();
    await run();
    store.rows = [row(first, 'VALIDATED'), row(second, 'PENDING_ROTATION')];
    await undo();
    expect(storedKids(bao)).toEqual([first, second]);
    expect(storedKids(bao, 'private_jwks')).toEqual([first, second]);
    expect(await look()).toMatchObject({ state: 'not-applied' });
    expect(store.closed).toBe(2);
    await undo();
    expect(storedKids(bao)).toEqual([first, second]);
  });

  test('keeps it, and says why, when a namespace key in any status names it', async () => {
    const { bao, store, run, undo, look, kid } = await captured();
    await run();
    store.rows = [row(kid, 'PENDING_REENCRYPTION')];
    await undo();
    expect(storedKids(bao)).toEqual([first, second, kid]);
    expect(await look()).toMatchObject({
      state: 'not-applied',
      evidence: expect.stringContaining('namespace keys are wrapped with it'),
    });
  });

  test('keeps it when a row of API Keys names it, or does not say what it names', async () => {
    for (const header of [(kid: string) => JSON.stringify({ kid }), () => '{}']) {
      const { bao, store, run, undo, kid } = await captured();
      await run();
      store.columns.set('keys_by_owner_and_service', [
        `${Buffer.from(header(kid)).toString('base64url')}.a.b.c.d`,
      ]);
      await undo();
      expect(storedKids(bao)).toEqual([first, second, kid]);
    }
  });

  test('keeps it when it was active in a version since, or a version since cannot be read', async () => {
    for (const meddle of ['activate', 'destroy']) {
      const { bao, run, undo, kid } = await captured();
      await run();
      const stored = bao.kv.peek(at) as Record<string, string>;
      bao.kv.put(at, meddle === 'activate' ? fields({ [kid]: 5, [first]: 1, [second]: 2 }, kid) : stored);
      if (meddle === 'destroy') bao.kv.destroy(at, 4);
      bao.kv.put(at, stored);
      await undo();
      expect(storedKids(bao)).toEqual([first, second, kid]);
    }
  });

  test('fails, and changes nothing, when the rows cannot be read', async () => {
    const { bao, store, run, undo, look, kid } = await captured();
    await run();
    store.failure = new NekStoreError('two of three nodes are down', {
      reason: 'no-quorum',
      outcome: 'not-applied',
      retryable: true,
    });
    await expect(undo()).rejects.toMatchObject({ code: 'cassandra-no-quorum' });
    expect(storedKids(bao)).toEqual([first, second, kid]);
    expect(await look()).toMatchObject({ state: 'applied' });
  });

  test('is refused while the key is the active one', async () => {
    const { bao, run, undo, kid } = await captured();
    await run();
    bao.kv.put(at, fields({ [kid]: 3, [first]: 1, [second]: 2 }, kid));
    await expect(undo()).rejects.toMatchObject({ code: 'key-active', outcome: 'not-applied' });
  });

  test('uses the credentials that OpenBao holds, and protects the password', async () => {
    const { store, run, undo, secrets } = await captured();
    await run();
    await undo();
    expect(store.opened.map(({ keyspace, datacenter }) => [keyspace, datacenter])).toEqual([
      ['ess_api', 'ncp'],
      ['api_keys_api', 'ncp'],
    ]);
    const password = Secret.fromText('password', 'canary-password');
    expect(store.opened.every((target) => target.password.equals(password))).toBe(true);
    expect(secrets.some((secret) => secret.equals(password))).toBe(true);
  });
});
