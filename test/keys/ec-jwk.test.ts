import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { judgeEcJwk, jwksIn } from '../../src/keys/ec-jwk.ts';

function jwkOf(namedCurve: string): Record<string, string> {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve });
  return { ...(privateKey.export({ format: 'jwk' }) as Record<string, string>), kid: 'one' };
}

describe('a private EC key', () => {
  test.each([
    ['P-256', 43],
    ['P-384', 64],
    ['P-521', 88],
  ])('of %s is whole with %i characters', (curve, characters) => {
    // Numbers with leading zeros are among them: sixteen pairs of each curve.
    for (let at = 0; at < 16; at += 1)
      expect(judgeEcJwk(jwkOf(curve))).toEqual({
        kid: 'one',
        curve,
        characters,
        wanted: characters,
        problem: '',
      });
  });

  const good = jwkOf('P-256');
  test.each<readonly [string, Record<string, string>, string]>([
    [
      'a private part of 42 characters',
      { ...good, d: (good.d ?? '').slice(1) },
      'd has 42 characters, P-256 wants 43',
    ],
    ['a short coordinate', { ...good, y: (good.y ?? '').slice(2) }, 'y has 41 characters, P-256 wants 43'],
    ['padding instead of a digit', { ...good, d: `${(good.d ?? '').slice(0, 42)}=` }, 'd is not base64url'],
    [
      'no private part',
      { kty: 'EC', crv: 'P-256', x: good.x ?? '', y: good.y ?? '' },
      'it has no private part (d)',
    ],
    ['a curve that is not known', { ...good, crv: 'P-255' }, 'its curve is not known (crv)'],
    ['another kind of key', { ...good, kty: 'oct' }, 'it is no EC key (kty)'],
    [
      'the public half of another key',
      { ...good, x: jwkOf('P-256').x ?? '' },
      'its public half (x, y) is not that of its private part (d)',
    ],
    [
      'a private part that is zero',
      { ...good, d: 'A'.repeat(43) },
      'its public half (x, y) is not that of its private part (d)',
    ],
  ])('with %s is not whole', (_, jwk, problem) => expect(judgeEcJwk(jwk).problem).toBe(problem));
});

describe('the keys of a text', () => {
  const jwk = { kty: 'EC', kid: 'a' };
  const base64 = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64');

  test.each([
    ['one key', JSON.stringify(jwk), [jwk]],
    ['a set', JSON.stringify({ keys: [jwk, jwk] }), [jwk, jwk]],
    ['base64 of a set', base64({ keys: [jwk] }), [jwk]],
    ['base64 of one key', base64(jwk), [jwk]],
    ['a name', '7cc6ae00-9b80-11f0-af65-957252ef94ac', undefined],
    ['another object', '{"alg":"ES256"}', undefined],
    ['a list', '[]', undefined],
    ['nothing', '', undefined],
  ])('%s', (_, text, keys) => expect(jwksIn(text)).toEqual(keys));
});
