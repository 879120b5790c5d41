import { describe, expect, test } from 'vitest';
import type { MekInspectWith } from '../../../src/generated/types.ts';
import { OpenBaoError } from '../../../src/services/openbao.ts';
import { inspect } from '../../../src/steps/mek/inspect.ts';
import { at, fields, first, isProtected, keyText, mekRig, openbao, second, third } from './rig.ts';

const input = { openbao } as unknown as MekInspectWith;
const withHistory = { ...input, history: true };

describe('mek.inspect', () => {
  test('names every key by kid and hash, and gives no key away', async () => {
    const rig = mekRig();
    rig.bao.kv.configure({ ...at, casRequired: true, maxVersions: 20 });
    const outputs = await inspect.run(input, rig.ctx);
    expect(outputs).toMatchObject({
      version: 2,
      createdTime: '2026-01-05T09:00:02.000Z',
      casRequired: true,
      maxVersions: 20,
      oldestVersion: 1,
      valid: true,
      problems: [],
      currentKid: first,
      firstKid: first,
      kids: [first, second],
      differing: [first, second],
      versions: [],
      damaged: false,
    });
    // sha256 of 32 bytes 0x01, by sha256sum.
    expect(outputs.keys[0]).toEqual({
      kid: first,
      hash: '72cd6e8422c407fb6d098690f1130b7ded7ec2f7f5e1d30bd9d521f015363793',
      bornAt: '2025-08-23T09:03:13.684Z',
    });
    const texts = [1, 2, 101, 102].map(keyText);
    for (const text of texts) expect(JSON.stringify(outputs)).not.toContain(text);
    expect(texts.every((text) => isProtected(rig, text))).toBe(true);
  });

  test('the oldest version is one that is kept, also where OpenBao says 0', async () => {
    const rig = mekRig();
    const metadata = rig.bao.kvMetadata.bind(rig.bao);
    rig.bao.kvMetadata = async (pod, where) => {
      const read = await metadata(pod, where);
      return read.state === 'found' ? { ...read, metadata: { ...read.metadata, oldestVersion: 0 } } : read;
    };
    expect((await inspect.run(input, rig.ctx)).oldestVersion).toBe(1);
  });

  test('says what is wrong with a document that services cannot load, every problem', async () => {
    const rig = mekRig();
    rig.bao.kv.put(at, { ...fields({ [first]: 1 }, second), keys: 'not base64!' });
    const outputs = await inspect.run(withHistory, rig.ctx);
    expect(outputs).toMatchObject({ valid: false, currentKid: '', keys: [], damaged: true });
    expect(outputs.problems.length).toBeGreaterThan(0);
    expect(outputs.versions.at(-1)).toMatchObject({ state: 'invalid', problems: outputs.problems });
    expect(outputs.summary).toContain('no master key document');
    const found = inspect.findings?.(outputs);
    for (const problem of outputs.problems) expect(found?.details).toContain(`version 3: ${problem}`);
    expect(found?.hint).toContain('mek-restore-from-backup');
  });

  test('tells when the clocks are apart, or OpenBao does not tell its time', async () => {
    const rig = mekRig();
    expect(await inspect.run(input, rig.ctx)).toMatchObject({ clockProblem: '' });
    rig.bao.nodes.set('bao-0', { active: true, serverTime: rig.clock.now() / 1000 + 300 });
    expect((await inspect.run(input, rig.ctx)).clockProblem).toContain("300 s ahead of this machine's");
    rig.bao.nodes.set('bao-0', { active: true, serverTime: undefined });
    expect((await inspect.run(input, rig.ctx)).clockProblem).toContain('did not tell its time');
  });

  test('a read that fails is a failure, never an absent document', async () => {
    const rig = mekRig();
    rig.bao.kv.failure = new OpenBaoError('timeout', { outcome: 'not-applied', retryable: true });
    await expect(inspect.run(input, rig.ctx)).rejects.toMatchObject({ code: 'kv-unreadable' });
    rig.bao.kv.failure = undefined;
    const elsewhere = { openbao: { ...openbao, path: 'elsewhere' } } as unknown as MekInspectWith;
    await expect(inspect.run(elsewhere, rig.ctx)).rejects.toMatchObject({ code: 'kv-absent' });
  });

  test('an engine that is not there, and a token that is not accepted, are told apart', async () => {
    const rig = mekRig();
    const denied = new OpenBaoError('403', { status: 403, outcome: 'not-applied', retryable: false });
    rig.bao.mount = async () => {
      throw denied;
    };
    await expect(inspect.run(input, rig.ctx)).rejects.toMatchObject({ code: 'no-mount' });
    rig.bao.tokenInfo = async () => {
      throw denied;
    };
    await expect(inspect.run(input, rig.ctx)).rejects.toMatchObject({ code: 'token-refused' });
  });
});

describe('the history', () => {
  test('of a rotation that went well has no damage', async () => {
    const rig = mekRig();
    rig.bao.kv.put(at, fields({ [second]: 2, [first]: 1 }, second));
    rig.bao.kv.put(at, fields({ [second]: 2 }, second));
    const { versions, damaged, newestIntactPrivateJwks } = await inspect.run(withHistory, rig.ctx);
    expect(versions.map(({ version, state, currentKid }) => [version, state, currentKid])).toEqual([
      [1, 'valid', first],
      [2, 'valid', first],
      [3, 'valid', second],
      [4, 'valid', second],
    ]);
    expect(versions[1]?.change).toContain(`keys key ${second}`);
    expect(versions[2]?.change).toContain(`current_kid is ${second}, was ${first}`);
    // Taken out of both sets, while another key was active: on purpose.
    expect(versions[3]?.problems).toEqual([]);
    expect([damaged, newestIntactPrivateJwks]).toEqual([false, 4]);
  });

  test('of the published procedure shows the key of API Keys that it overwrote', async () => {
    const rig = mekRig();
    const keys = { [third]: 3, [first]: 1, [second]: 2 };
    rig.bao.kv.put(at, fields(keys, third, keys));
    const outputs = await inspect.run(withHistory, rig.ctx);
    expect(outputs).toMatchObject({ valid: true, damaged: true, newestIntactPrivateJwks: 2, differing: [] });
    expect(outputs.damage).toEqual([
      expect.stringMatching(new RegExp(`^private_jwks key ${first} .* version 1 had it$`)),
      expect.stringMatching(new RegExp(`^private_jwks key ${second} .* version 2 had it$`)),
    ]);
    expect(outputs.versions[2]?.problems).toHaveLength(2);
    rig.bao.kv.put(at, fields(keys, third, { [third]: 3, [first]: 101, [second]: 102 }));
    expect(await inspect.run(withHistory, rig.ctx)).toMatchObject({
      damaged: false,
      newestIntactPrivateJwks: 4,
    });
  });

  test('of a blind writer shows every key that is gone', async () => {
    const rig = mekRig();
    rig.bao.kv.put(at, fields({ [third]: 3 }, third));
    const { damage, versions } = await inspect.run(withHistory, rig.ctx);
    expect(damage).toHaveLength(4);
    expect(versions[2]?.problems).toHaveLength(4);
  });

  test('of a key that left one set alone is damage', async () => {
    const rig = mekRig();
    rig.bao.kv.put(at, fields({ [first]: 1, [second]: 2 }, first, { [first]: 101 }));
    expect((await inspect.run(withHistory, rig.ctx)).damage).toEqual([
      expect.stringContaining(`private_jwks key ${second}`),
    ]);
  });

  test('names versions that are deleted or destroyed, and does not compare with them', async () => {
    const rig = mekRig();
    rig.bao.kv.put(at, fields({ [first]: 1, [second]: 2 }, first));
    rig.bao.kv.delete(at, 1);
    rig.bao.kv.destroy(at, 2);
    const { versions, damaged } = await inspect.run(withHistory, rig.ctx);
    expect(versions.map(({ state }) => state)).toEqual(['deleted', 'destroyed', 'valid']);
    expect(damaged).toBe(false);
  });

  test('that cannot be read is a failure', async () => {
    const rig = mekRig();
    const read = rig.bao.kvRead.bind(rig.bao);
    rig.bao.kvRead = async (pod, where) =>
      where.version === 1
        ? {
            state: 'failed',
            error: new OpenBaoError('500', { status: 500, outcome: 'not-applied', retryable: true }),
          }
        : await read(pod, where);
    await expect(inspect.run(withHistory, rig.ctx)).rejects.toMatchObject({ code: 'kv-unreadable' });
  });
});
