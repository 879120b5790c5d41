import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseMekDocument } from '../../src/keys/mek-document.ts';
import { bytesOf, encodeSet, fieldsOf, json, jwk, kids } from './made.ts';

const stock = fieldsOf([kids.second, kids.first]);
const v4 = '0b0ea1d4-6c43-4f6e-9f2c-6f3f5e8d9a10';

function set(...elements: readonly unknown[]): string {
  return encodeSet(elements);
}

function good(kid: string, over: Record<string, unknown> = {}): Record<string, unknown> {
  const whole = { ...jwk(kid, bytesOf(`keys ${kid}`)), ...over };
  return Object.fromEntries(Object.entries(whole).filter(([, value]) => value !== undefined));
}

function problems(over: Record<string, unknown>): readonly string[] {
  const read = parseMekDocument(json({ ...stock, ...over }));
  return read.ok ? [] : read.problems;
}

describe('parseMekDocument', () => {
  test('reads a stock document: two sets, different bytes under each kid, without a warning', () => {
    const read = parseMekDocument(json(stock));
    if (!read.ok) throw new Error(read.problems.join('\n'));
    expect(read.warnings).toEqual([]);
    const hash = (label: string) => createHash('sha256').update(bytesOf(label)).digest('hex');
    expect(read.document.keys.map(({ kid, hash }) => [kid, hash])).toEqual([
      [kids.second, hash(`keys ${kids.second}`)],
      [kids.first, hash(`keys ${kids.first}`)],
    ]);
    expect(read.document.privateJwks.map(({ kid, hash }) => [kid, hash])).toEqual([
      [kids.second, hash(`private ${kids.second}`)],
      [kids.first, hash(`private ${kids.first}`)],
    ]);
    expect(read.document.currentKid).toBe(kids.second);
    expect(read.document.jweMappingKid).toBe(kids.second);
  });

  const sets = (text: string) => [`keys ${text}`, `private_jwks ${text}`];
  test.each<[string, Record<string, unknown>, readonly string[]]>([
    ['a missing field', { keys: undefined }, ['The field keys is missing.']],
    [
      'fields that are no text',
      { keys: 1, current_kid: null, jwe_mapping: {} },
      [
        'The field keys is not text.',
        'The field current_kid is not text.',
        'The field jwe_mapping is not text.',
      ],
    ],
    [
      'empty captures',
      { keys: '', private_jwks: '' },
      sets('is not standard base64 with padding and without line breaks.'),
    ],
    [
      'base64 without padding',
      { keys: String(stock.keys).replace(/=+$/, '') },
      ['keys is not standard base64 with padding and without line breaks.'],
    ],
    [
      'a line break in base64',
      { keys: `${String(stock.keys).slice(0, 76)}\n${String(stock.keys).slice(76)}` },
      ['keys is not standard base64 with padding and without line breaks.'],
    ],
    [
      'a bare list',
      { keys: Buffer.from(JSON.stringify([good(kids.second)])).toString('base64') },
      ['keys holds a bare list; the consumers\' templates need the object {"keys": [...]}.'],
    ],
    [
      'another object',
      { keys: Buffer.from('{"jwks":[]}').toString('base64') },
      ['keys holds no object {"keys": [...]}.'],
    ],
    ['no key', { keys: set() }, ['keys holds no key.']],
    ['an element that is no JWK', { keys: set(good(kids.second), 7) }, ['keys, element 2 is no JWK.']],
    [
      'a kty other than oct',
      { keys: set(good(kids.second, { kty: 'RSA' })) },
      [`keys, element 1 (kid ${kids.second}): kty is not "oct".`],
    ],
    [
      'another alg',
      { keys: set(good(kids.second, { alg: 'A128GCM' })) },
      [`keys, element 1 (kid ${kids.second}): alg is not "A256GCM".`],
    ],
    [
      'no alg',
      { keys: set(good(kids.second, { alg: undefined })) },
      [`keys, element 1 (kid ${kids.second}): alg is not "A256GCM".`],
    ],
    [
      'another use',
      { keys: set(good(kids.second, { use: 'sig' })) },
      [`keys, element 1 (kid ${kids.second}): use is not "enc".`],
    ],
    [
      'no kid',
      { keys: set(good(kids.second, { kid: undefined })) },
      ['keys, element 1: kid is not 1 to 256 printable characters without a space.'],
    ],
    [
      'the first kid again with other bytes',
      { keys: set(good(kids.second), good(kids.second, { k: bytesOf('x').toString('base64url') })) },
      [`keys has the kid ${kids.second} twice; consumers would use the last one.`],
    ],
    [
      'a later kid twice',
      { keys: set(good(kids.second), good(kids.first), good(kids.first)) },
      [`keys has the kid ${kids.first} twice; consumers would use the last one.`],
    ],
    [
      'a first kid of another version',
      { keys: set(good(v4)), current_kid: v4 },
      [
        `The first kid of keys (${v4}) is no lower-case UUIDv1; ESS would refuse the whole list.`,
        `current_kid (${v4}) is not in private_jwks.`,
        `jwe_mapping names the kid ${kids.second}, not current_kid (${v4}).`,
      ],
    ],
    [
      'another first kid than current_kid',
      { keys: set(good(kids.first), good(kids.second)) },
      [`The first kid of keys (${kids.first}) is not current_kid (${kids.second}).`],
    ],
    [
      'a current_kid that keys lacks',
      { current_kid: kids.third, jwe_mapping: `{"payload_jwe_kid":"${kids.third}"}` },
      [`current_kid (${kids.third}) is not in keys.`, `current_kid (${kids.third}) is not in private_jwks.`],
    ],
    [
      'a current_kid that private_jwks lacks',
      { private_jwks: set(good(kids.first)) },
      [`current_kid (${kids.second}) is not in private_jwks.`],
    ],
    [
      'a jwe_mapping to another kid',
      { jwe_mapping: `{"payload_jwe_kid":"${kids.first}"}` },
      [`jwe_mapping names the kid ${kids.first}, not current_kid (${kids.second}).`],
    ],
    [
      'a jwe_mapping that is no JSON',
      { jwe_mapping: kids.second },
      ['jwe_mapping is not JSON text that can be kept: text after the end, at character 9.'],
    ],
    [
      'a jwe_mapping without its member',
      { jwe_mapping: '{}' },
      ['jwe_mapping is not the text {"payload_jwe_kid": "<kid>"}.'],
    ],
  ])('%s', (_, over, expected) => {
    expect(problems(over)).toEqual(expected);
  });

  const key = bytesOf(`keys ${kids.second}`).toString('base64url');
  test.each([
    ['16 bytes', Buffer.alloc(16, 7).toString('base64url')],
    ['64 bytes', Buffer.alloc(64, 7).toString('base64url')],
    ['padding', `${key}=`],
    ['the alphabet of base64', Buffer.alloc(32, 0xfb).toString('base64').replace('=', '')],
    ['hex', bytesOf('x').toString('hex')],
    ['a spare bit', `${'A'.repeat(42)}B`],
    ['a space', `${key.slice(0, 42)} `],
    ['nothing', ''],
    ['a number', 5],
  ])('a key with %s is refused', (_, k) => {
    expect(problems({ keys: set(good(kids.second, { k })) })).toEqual([
      `keys, element 1 (kid ${kids.second}): k is not 32 bytes in base64url without padding (43 characters).`,
    ]);
  });

  test('gives every problem at once', () => {
    const read = parseMekDocument(
      json({ ...stock, private_jwks: 'x', keys: set(good(kids.second, { kty: 'EC', k: 'x' })) }),
    );
    expect(read.ok ? [] : read.problems).toHaveLength(3);
  });

  test.each([
    ['no JSON', 'keys=abc'],
    ['a list', '[]'],
    ['a field twice', `{"keys":"a",${JSON.stringify(stock).slice(1)}`],
    ['text after the end', `${JSON.stringify(stock)}]`],
  ])('refuses %s', (_, text) => {
    const read = parseMekDocument(Buffer.from(text));
    expect(read.ok ? [] : read.problems).toHaveLength(1);
  });

  test('warns of what works and is odd', () => {
    const read = parseMekDocument(
      json({
        ...stock,
        keys: set(good(kids.second), good(v4, { k: bytesOf(`keys ${kids.second}`).toString('base64url') })),
      }),
    );
    expect(read.ok && read.warnings).toEqual([
      `keys has the same key under the kids ${kids.second} and ${v4}.`,
      `The kid ${v4} is in keys and not in private_jwks.`,
      `The kid ${kids.first} is in private_jwks and not in keys.`,
      `The kid ${v4} in keys is no lower-case UUIDv1; ESS takes it for older than any.`,
    ]);
  });

  test('never throws and never shows a key, whatever is cut or changed', () => {
    const text = JSON.stringify(stock);
    const inner = Buffer.from(String(stock.keys), 'base64').toString();
    const damage = fc.record({
      at: fc.nat(),
      piece: fc.constantFrom('', '"', '}', '\\', 'A', '\u0000', '='),
    });
    fc.assert(
      fc.property(damage, fc.boolean(), ({ at, piece }, inside) => {
        const source = inside ? inner : text;
        const cut = at % source.length;
        const damaged = source.slice(0, cut) + piece + source.slice(cut + 1);
        const read = parseMekDocument(
          inside ? json({ ...stock, keys: Buffer.from(damaged).toString('base64') }) : Buffer.from(damaged),
        );
        if (!read.ok) expect(read.problems.join(' ')).not.toContain(key.slice(0, 12));
      }),
      { numRuns: 500 },
    );
  });
});
