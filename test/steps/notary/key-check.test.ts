import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { NotaryKeyCheckWith } from '../../../src/generated/types.ts';
import { keyCheck } from '../../../src/steps/notary/key-check.ts';
import { baoInput, baoRig } from '../../fakes/bao-rig.ts';

const at = { mount: 'services/nvcf-notary/kv', path: 'keys/signing-key' };
const input = baoInput as unknown as NotaryKeyCheckWith;

function jwk(kid: string): Record<string, string> {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return { ...(privateKey.export({ format: 'jwk' }) as Record<string, string>), kid };
}

function stored(keys: readonly object[]): Record<string, string> {
  const set = Buffer.from(JSON.stringify({ keys })).toString('base64');
  return { keys: set, kid: 'first', alg: 'ES256' };
}

describe('notary.key-check', () => {
  test('tells that the keys are whole', async () => {
    const { ctx, bao } = baoRig();
    bao.kv.put(at, stored([jwk('first'), jwk('second')]));
    expect(await keyCheck.run(input, ctx)).toEqual({
      state: 'found',
      version: 1,
      keys: ['first', 'second'].map((kid) => ({
        field: 'keys',
        kid,
        curve: 'P-256',
        characters: 43,
        wanted: 43,
        problem: '',
      })),
      ok: true,
      problems: [],
      summary: '2 signing keys are whole',
    });
  });

  test('names the key whose private part is too short, and never shows a part of any', async () => {
    const { ctx, bao, progress } = baoRig();
    const whole = jwk('whole');
    const short = jwk('short');
    short.d = (short.d ?? '').slice(1);
    bao.kv.put(at, stored([whole, short]));
    const outputs = await keyCheck.run(input, ctx);
    expect(outputs.problems).toEqual(['key short in field keys: d has 42 characters, P-256 wants 43']);
    expect(keyCheck.findings?.(outputs).hint).toContain('restart the Notary Service');
    const told = JSON.stringify([outputs, keyCheck.findings?.(outputs), progress]);
    for (const part of [whole.d, short.d, whole.x, short.y]) expect(told).not.toContain(part?.slice(0, 12));
  });

  test('a secret without a key in it is not in order', async () => {
    const { ctx, bao } = baoRig();
    bao.kv.put(at, { kid: 'first', alg: 'ES256' });
    expect((await keyCheck.run(input, ctx)).problems).toEqual(['no field holds a JWK or a set of them']);
  });

  test('a secret that is not there, or was deleted, is an answer', async () => {
    const { ctx, bao } = baoRig();
    bao.kv.put({ ...at, path: 'keys/other' }, { a: 'b' });
    expect(await keyCheck.run(input, ctx)).toMatchObject({ state: 'absent', ok: false, version: 0 });
    bao.kv.put(at, stored([jwk('first')]));
    bao.kv.delete(at, 1);
    expect(await keyCheck.run(input, ctx)).toMatchObject({
      state: 'deleted',
      problems: ['the secret is deleted'],
    });
  });
});
