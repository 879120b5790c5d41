import { createHash } from 'node:crypto';
import { inspect } from 'node:util';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { MekDocument } from '../../src/keys/mek-document.ts';
import {
  mekSummary,
  parseMekDocument,
  secretsOf,
  serializeMekDocument,
} from '../../src/keys/mek-document.ts';
import { bytesOf, decodeFields, documentOf, encodeSet, fieldsOf, json, jwk, kids } from './made.ts';

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
      'a kid twice',
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

describe('a document', () => {
  const odd = {
    zebra: { note: ['kept', 1, null] },
    ...stock,
    keys: Buffer.from(
      JSON.stringify({ issuer: 'x', keys: [good(kids.second, { key_ops: ['encrypt'] }), good(kids.first)] }),
    ).toString('base64'),
    jwe_mapping: `{"other":true,"payload_jwe_kid":"${kids.second}"}`,
  };

  test('is written as it was read, unknown fields and members included', () => {
    const written = serializeMekDocument(documentOf(odd));
    const { fields, keys, privateJwks } = decodeFields(written);
    expect(Object.keys(fields).sort()).toEqual(Object.keys(odd).sort());
    expect(fields.zebra).toEqual(odd.zebra);
    expect(JSON.parse(String(fields.jwe_mapping))).toEqual(JSON.parse(odd.jwe_mapping));
    expect(JSON.parse(Buffer.from(String(fields.keys), 'base64').toString())).toHaveProperty('issuer', 'x');
    expect(keys).toEqual([good(kids.second, { key_ops: ['encrypt'] }), good(kids.first)]);
    expect(privateJwks.map(({ k }) => k)).toEqual(
      [kids.second, kids.first].map((kid) => bytesOf(`private ${kid}`).toString('base64url')),
    );
    expect(
      Buffer.from(serializeMekDocument(documentOf(JSON.parse(Buffer.from(written).toString())))),
    ).toEqual(Buffer.from(written));
  });

  test('shows kids and hashes, never a key', () => {
    const document: MekDocument = documentOf(odd);
    const shown = [
      inspect(document, { depth: 9, showHidden: true }),
      JSON.stringify(document),
      String(document),
      JSON.stringify(mekSummary(document)),
    ].join('\n');
    for (const kid of [kids.first, kids.second])
      for (const label of [`keys ${kid}`, `private ${kid}`]) {
        const secret = bytesOf(label);
        for (const form of [secret.toString('base64url'), secret.toString('hex'), secret.toString('base64')])
          expect(shown).not.toContain(form.slice(0, 16));
      }
    expect(shown).toContain(kids.first);
  });

  test('sums itself up', () => {
    const same = {
      ...stock,
      private_jwks: encodeSet([good(kids.second), jwk(kids.first, bytesOf('other'))]),
    };
    const hash12 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex').slice(0, 12);
    expect(mekSummary(documentOf(same))).toEqual({
      currentKid: kids.second,
      keys: [kids.second, kids.first].map((kid) => ({ kid, hash12: hash12(bytesOf(`keys ${kid}`)) })),
      privateJwks: [
        { kid: kids.second, hash12: hash12(bytesOf(`keys ${kids.second}`)) },
        { kid: kids.first, hash12: hash12(bytesOf('other')) },
      ],
      differing: [kids.first],
    });
  });

  test('gives every key text for redaction', () => {
    expect(secretsOf(documentOf(stock)).map((text) => Buffer.from(text).toString())).toEqual(
      ['keys', 'private'].flatMap((set) =>
        [kids.second, kids.first].map((kid) => bytesOf(`${set} ${kid}`).toString('base64url')),
      ),
    );
  });
});
