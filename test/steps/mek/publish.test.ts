import { describe, expect, test } from 'vitest';
import { Secret } from '../../../src/engine/secret.ts';
import type { MekPublishWith } from '../../../src/generated/types.ts';
import type { NekRow } from '../../../src/services/nek-store.ts';
import { NekStoreError } from '../../../src/services/nek-store.ts';
import { OpenBaoError } from '../../../src/services/openbao.ts';
import { publish } from '../../../src/steps/mek/publish.ts';
import { failure } from '../../fakes/steps-kubernetes.ts';
import type { MekRig } from './rig.ts';
import {
  at,
  cassandra,
  fields,
  first,
  isProtected,
  keyText,
  mekRig,
  openbao,
  second,
  storedKeys,
  storedKids,
  third,
} from './rig.ts';

const input = { openbao, cassandra, apiKeys: cassandra } as unknown as MekPublishWith;

async function captured(rig: MekRig = mekRig()) {
  const before = await publish.capture(input, rig.ctx);
  const ctx = { ...rig.ctx, before };
  const { kid } = before.state as { readonly kid: string };
  return {
    ...rig,
    before,
    ctx,
    kid,
    run: () => publish.run(input, ctx),
    look: () => publish.observe(input, before, ctx),
    undo: async () => {
      if (typeof publish.undo === 'object') throw new Error('no undo');
      await publish.undo(input, before, undefined, ctx);
    },
  };
}

function unanswered(): OpenBaoError {
  return new OpenBaoError('No answer', { outcome: 'unknown', retryable: true });
}

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

describe('mek.publish', () => {
  test('appends one key to both sets, with other bytes in each, and changes nothing else', async () => {
    const { bao, kid, run, secrets, checkpoints, progress } = await captured();
    const was = { keys: storedKeys(bao, 'keys'), private: storedKeys(bao, 'private_jwks') };
    const outputs = await run();
    const [keys, privateJwks] = [storedKeys(bao, 'keys'), storedKeys(bao, 'private_jwks')];
    expect(keys.slice(0, 2)).toEqual(was.keys);
    expect(privateJwks.slice(0, 2)).toEqual(was.private);
    expect([keys[2]?.kid, privateJwks[2]?.kid]).toEqual([kid, kid]);
    expect(keys[2]?.k).not.toBe(privateJwks[2]?.k);
    expect(bao.kv.peek(at)).toMatchObject({
      current_kid: first,
      jwe_mapping: `{"payload_jwe_kid":"${first}"}`,
    });
    expect(outputs).toMatchObject({ kid, version: 3, previousVersion: 2, previousKid: first });
    expect(outputs.hash).not.toBe(outputs.privateHash);
    const shown = JSON.stringify([outputs, checkpoints, progress]);
    for (const key of [...keys, ...privateJwks]) {
      expect(shown).not.toContain(key.k);
      expect(secrets.some((secret) => secret.revealText((text) => text === key.k))).toBe(true);
    }
  });

  test('the kid is a UUIDv1 of the server time that no machine address is in', async () => {
    const { kid, clock } = await captured();
    const [, low, mid, high, node] = /^(.{8})-(.{4})-1(.{3})-[89ab].{3}-(.{2})/.exec(kid) ?? [];
    const ticks = BigInt(`0x${high}${mid}${low}`) - 122_192_928_000_000_000n;
    expect(Number(ticks / 10_000n)).toBe(clock.now());
    expect(Number.parseInt(node ?? '', 16) & 1).toBe(1);
  });

  test('predicts the change key by key, without a key, and says what is unwise', async () => {
    const rig = mekRig();
    const prediction = await publish.predict(input, rig.ctx);
    expect(prediction).toMatchObject({
      changes: true,
      diff: [{ path: 'keys[2]' }, { path: 'private_jwks[2]' }],
      outputs: { previousVersion: 2, previousKid: first },
    });
    const notes = prediction.notes?.join('\n');
    expect(notes).toContain('root token');
    expect(notes).toContain('does not require check-and-set');
    expect(rig.bao.calls.filter((call) => call.startsWith('write'))).toEqual([]);
    expect(isProtected(rig, keyText(1)) && isProtected(rig, keyText(101))).toBe(true);
  });

  test('goes through the active pod, whichever it is', async () => {
    const rig = mekRig();
    rig.bao.nodes.set('bao-0', { sealed: true });
    rig.bao.nodes.set('bao-2', { active: true, serverTime: rig.clock.now() / 1000 });
    await (await captured(rig)).run();
    expect(new Set(rig.bao.calls.map((call) => call.split(' ')[1]))).toEqual(new Set(['bao-2']));
  });

  test.each([
    [
      'a sealed server',
      (rig: MekRig) => [0, 1, 2].map((n) => rig.bao.nodes.set(`bao-${n}`, { sealed: true })),
      'openbao-sealed',
    ],
    ['no active pod', (rig: MekRig) => rig.bao.nodes.set('bao-0', {}), 'no-active-pod'],
    [
      'a failed read',
      (rig: MekRig) => {
        rig.bao.kv.failure = new OpenBaoError('500', {
          status: 500,
          outcome: 'not-applied',
          retryable: true,
        });
      },
      'kv-unreadable',
    ],
    ['a deleted document', (rig: MekRig) => rig.bao.kv.delete(at, 2), 'kv-deleted'],
    ['a destroyed document', (rig: MekRig) => rig.bao.kv.destroy(at, 2), 'kv-destroyed'],
    [
      'a document that services cannot load',
      (rig: MekRig) => rig.bao.kv.put(at, fields({ [first]: 1 }, second)),
      'mek-document-invalid',
    ],
    [
      'another engine',
      (rig: MekRig) => {
        rig.bao.mounts = { [at.mount]: { type: 'kv', version: '1', uuid: 'u' } };
      },
      'not-kv-v2',
    ],
    [
      'a clock that differs',
      (rig: MekRig) => rig.bao.nodes.set('bao-0', { active: true, serverTime: rig.clock.now() / 1000 + 90 }),
      'clock-skew',
    ],
  ])('%s is refused before anything is made', async (_, arrange, code) => {
    const rig = mekRig();
    arrange(rig);
    for (const ask of [publish.capture, publish.predict])
      await expect(ask(input, rig.ctx)).rejects.toMatchObject({ code, outcome: 'not-applied' });
  });

  test('a token without the policy is refused with the policy that it lacks', async () => {
    const rig = mekRig();
    rig.bao.token = { policies: ['default'], ttl: 600, root: false };
    rig.bao.allowed = {
      'services/all/kv/data/encryption/keys/stored_data': ['read'],
      'services/all/kv/metadata/encryption/keys/stored_data': ['read'],
      'services/ess-api/kv/data/cassandra/creds': ['read'],
    };
    await expect(publish.predict(input, rig.ctx)).rejects.toMatchObject({
      code: 'policy-missing',
      details: [
        'path "services/all/kv/data/encryption/keys/stored_data" {',
        '  capabilities = ["update"]',
        '}',
        'path "services/api-keys-api/kv/data/cassandra/creds" {',
        '  capabilities = ["read"]',
        '}',
      ],
    });
  });

  test('a version other than the one that was expected is refused, and what changed is named by kid', async () => {
    const rig = mekRig();
    rig.bao.kv.put(at, fields({ [first]: 1, [second]: 2, [third]: 3 }, first));
    const asked = publish.capture({ ...input, after: 2 }, rig.ctx);
    await expect(asked).rejects.toMatchObject({
      code: 'world-moved',
      details: [expect.stringContaining(`keys key ${third}`), expect.stringContaining('private_jwks key')],
    });
  });

  test('a write of somebody else after the capture is never written over', async () => {
    const { bao, run, look } = await captured();
    bao.kv.put(at, fields({ [first]: 1, [second]: 2, [third]: 3 }, first));
    await expect(run()).rejects.toMatchObject({ code: 'world-moved', outcome: 'not-applied' });
    expect(storedKids(bao)).toEqual([first, second, third]);
    expect(await look()).toMatchObject({ state: 'not-applied' });
  });

  test('a write of somebody else between the last look and the write is refused by check-and-set', async () => {
    const rig = await captured();
    const { bao } = rig;
    const write = bao.kvWrite.bind(bao);
    bao.kvWrite = async (pod, to) => {
      bao.kv.put(at, fields({ [first]: 1, [second]: 2, [third]: 3 }, first));
      return await write(pod, to);
    };
    await expect(rig.run()).rejects.toMatchObject({ code: 'world-moved', outcome: 'not-applied' });
    expect(storedKids(bao)).toEqual([first, second, third]);
  });
});

describe('a lost answer', () => {
  test('is resolved by reading: the write took place', async () => {
    const { bao, run, kid } = await captured();
    bao.onChange = () => {
      throw unanswered();
    };
    expect(await run()).toMatchObject({ kid, version: 3 });
    expect(storedKids(bao)).toEqual([first, second, kid]);
  });

  test('of a write that never arrived: it is in progress for a while, then it is not there, and may be repeated', async () => {
    const { bao, run, look, clock, kid } = await captured();
    const write = bao.kvWrite.bind(bao);
    bao.kvWrite = async () => {
      throw unanswered();
    };
    const failed = run().catch((error: unknown) => error);
    await clock.advance(5000);
    expect(await look()).toMatchObject({ state: 'in-progress' });
    await clock.advance(10_000);
    expect(await failed).toMatchObject({ code: 'write-unanswered', outcome: 'unknown', retryable: true });
    expect(await look()).toMatchObject({ state: 'not-applied' });
    bao.kvWrite = write;
    expect(await run()).toMatchObject({ kid, version: 3 });
  });

  test('of a write that arrives late is found, and a repetition finds the key there', async () => {
    const { bao, run, look, clock, kid } = await captured();
    const write = bao.kvWrite.bind(bao);
    bao.kvWrite = async (pod, to) => {
      void clock.sleep(4000, new AbortController().signal).then(() => write(pod, to));
      throw unanswered();
    };
    const done = run();
    await clock.advance(6000);
    const outputs = await done;
    expect(await look()).toMatchObject({ state: 'applied', outputs });
    bao.kvWrite = write;
    expect(await run()).toEqual(outputs);
    expect(storedKids(bao)).toEqual([first, second, kid]);
  });

  test('does not hide that somebody else wrote instead', async () => {
    const { bao, run } = await captured();
    bao.kvWrite = async () => {
      bao.kv.put(at, fields({ [second]: 2, [first]: 1 }, second));
      throw unanswered();
    };
    await expect(run()).rejects.toMatchObject({ code: 'world-moved', outcome: 'not-applied' });
  });
});

describe('what is observed of a publication', () => {
  test('not-applied, applied, in-progress, conflict and unknown', async () => {
    const { bao, run, look, kid, cluster } = await captured();
    expect(await look()).toMatchObject({ state: 'not-applied' });
    const outputs = await run();
    expect(await look()).toMatchObject({
      state: 'applied',
      outputs,
      witnesses: [{ description: 'services/all/kv/encryption/keys/stored_data version 3' }],
    });
    bao.kv.put(at, fields({ [first]: 1, [second]: 2 }, first));
    expect(await look()).toMatchObject({ state: 'conflict', evidence: expect.stringContaining('lost it') });
    bao.kv.put(at, fields({ [first]: 9, [second]: 2, [kid]: 3 }, first));
    expect(await look()).toMatchObject({
      state: 'conflict',
      evidence: expect.stringContaining('other bytes'),
    });
    bao.kv.put(at, fields({ [first]: 1, [second]: 2, [kid]: 3 }, first, { [first]: 101, [second]: 102 }));
    expect(await look()).toMatchObject({
      state: 'conflict',
      evidence: expect.stringContaining('keys alone'),
    });
    bao.kv.delete(at, 6);
    expect(await look()).toMatchObject({ state: 'conflict', evidence: expect.stringContaining('deleted') });
    cluster.hooks = {
      before: () => {
        throw failure(403, 'Forbidden', 'no');
      },
    };
    expect(await look()).toMatchObject({ state: 'unknown' });
  });

  test('a server that fails for a moment is asked again, and never taken for an absent key', async () => {
    const { bao, look } = await captured();
    bao.kv.failure = new OpenBaoError('500', { status: 500, outcome: 'not-applied', retryable: true });
    await expect(look()).rejects.toMatchObject({ code: 'kv-unreadable', retryable: true });
    bao.kv.failure = new OpenBaoError('403', { status: 403, outcome: 'not-applied', retryable: false });
    expect(await look()).toMatchObject({ state: 'unknown' });
  });
});

describe('the way back from a publication', () => {
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
