import { describe, expect, test } from 'vitest';
import { OpenBaoError } from '../../../src/services/openbao.ts';
import { publish } from '../../../src/steps/mek/publish.ts';
import { failure } from '../../fakes/steps-kubernetes.ts';
import { captured, input } from './published.ts';
import type { MekRig } from './rig.ts';
import {
  at,
  fields,
  first,
  isProtected,
  keyText,
  mekRig,
  second,
  storedKeys,
  storedKids,
  third,
} from './rig.ts';

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
