import { describe, expect, test } from 'vitest';
import type { BaoKvMetadataWith } from '../../../src/generated/types.ts';
import { OpenBaoError } from '../../../src/services/openbao.ts';
import { kvMetadata } from '../../../src/steps/bao/kv-metadata.ts';
import { baoInput, baoRig } from '../../fakes/bao-rig.ts';

const at = { mount: 'services/all/kv', path: 'encryption/keys' };
const where = { ...baoInput, ...at } as unknown as BaoKvMetadataWith;
const input = { ...where, casRequired: true, maxVersions: 20 };

function rig(versions = 3) {
  const made = baoRig();
  for (let version = 1; version <= versions; version += 1) made.bao.kv.put(at, { n: version });
  return made;
}

async function captured(given: BaoKvMetadataWith = input) {
  const made = rig();
  const before = await kvMetadata.capture(given, made.ctx);
  const ctx = { ...made.ctx, before };
  return { ...made, ctx, before, look: () => kvMetadata.observe(given, before, ctx) };
}

describe('bao.kv-metadata', () => {
  test('predicts what changes, and which versions will go', async () => {
    const { ctx } = rig(12);
    expect(await kvMetadata.predict(input, ctx)).toMatchObject({
      changes: true,
      diff: [
        { path: 'casRequired', before: false, after: true },
        { path: 'maxVersions', before: 0, after: 20 },
      ],
      outputs: { casRequired: true, maxVersions: 20, previousCasRequired: false, previousMaxVersions: 0 },
      notes: [],
    });
    const fewer = await kvMetadata.predict({ ...where, maxVersions: 3 }, ctx);
    expect(fewer).toMatchObject({ notes: ['the next write drops versions 1 to 10 for good'] });
    expect(await kvMetadata.predict({ ...where, casRequired: false }, ctx)).toMatchObject({
      changes: false,
      diff: [],
    });
  });

  test('sets what is given, and nothing else', async () => {
    const { ctx, bao } = await captured({ ...where, casRequired: true });
    bao.kv.configure({ ...at, maxVersions: 7 });
    expect(await kvMetadata.run({ ...where, casRequired: true }, ctx)).toEqual({
      casRequired: true,
      maxVersions: 0,
      previousCasRequired: false,
      previousMaxVersions: 0,
    });
    expect(bao.kv.metadata(at)).toMatchObject({ metadata: { casRequired: true, maxVersions: 7 } });
    expect(bao.calls.at(-1)).toBe('configure bao-1 services/all/kv/encryption/keys');
  });

  test('refuses a secret that is not there, and a use that sets nothing', async () => {
    const { ctx } = rig(0);
    for (const call of [kvMetadata.predict, kvMetadata.capture])
      await expect(call(input, ctx)).rejects.toMatchObject({ code: 'kv-absent', outcome: 'not-applied' });
    expect(kvMetadata.check?.(where)).toMatchObject([{ message: expect.stringContaining('nothing to set') }]);
    expect(kvMetadata.check?.(input)).toEqual([]);
  });

  test('a refusal names the rule that is missing', async () => {
    const { ctx, bao } = await captured();
    bao.kvConfigure = async () => {
      throw new OpenBaoError('refused', { status: 403, outcome: 'not-applied', retryable: false });
    };
    await expect(kvMetadata.run(input, ctx)).rejects.toMatchObject({
      code: 'policy-missing',
      details: ['path "services/all/kv/metadata/encryption/keys" {', '  capabilities = ["patch"]', '}'],
    });
  });

  test('observe tells not-applied, in-progress, applied, conflict and unknown', async () => {
    const { bao, ctx, look, electing } = await captured();
    expect(await look()).toMatchObject({ state: 'not-applied' });
    bao.onChange = () => {
      throw new OpenBaoError('No answer', { outcome: 'unknown', retryable: true });
    };
    await expect(kvMetadata.run(input, ctx)).rejects.toMatchObject({ outcome: 'unknown' });
    electing();
    expect(await look()).toMatchObject({ state: 'in-progress' });
    bao.nodes.set('bao-0', { active: true });
    expect(await look()).toMatchObject({
      state: 'applied',
      evidence: 'services/all/kv/encryption/keys has check-and-set required and 20 versions',
      outputs: { casRequired: true, maxVersions: 20, previousCasRequired: false, previousMaxVersions: 0 },
    });
    bao.kv.configure({ ...at, maxVersions: 5 });
    expect(await look()).toMatchObject({ state: 'conflict' });
    bao.mounts = { [at.mount]: { type: 'kv', version: '2', uuid: 'a new one' } };
    expect(await look()).toMatchObject({ state: 'conflict' });
    bao.kv.failure = new OpenBaoError('no', { status: 403, outcome: 'not-applied', retryable: false });
    expect(await look()).toMatchObject({ state: 'unknown' });
  });

  test('undo puts back what was set, and leaves what was not', async () => {
    const given = { ...where, casRequired: true };
    const { bao, ctx, before, look } = await captured(given);
    await kvMetadata.run(given, ctx);
    bao.kv.configure({ ...at, maxVersions: 7 });
    if (typeof kvMetadata.undo !== 'function') throw new Error('no undo');
    await kvMetadata.undo(given, before, undefined, ctx);
    expect(bao.kv.metadata(at)).toMatchObject({ metadata: { casRequired: false, maxVersions: 7 } });
    expect(await look()).toMatchObject({ state: 'not-applied' });
  });
});
