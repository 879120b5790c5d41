import { createHash, randomBytes } from 'node:crypto';
import { inspect } from 'node:util';
import { describe, expect, test } from 'vitest';
import { canaryScanner, secretKey, secretKeyOfMany, secretText } from './canaries.ts';

const text = `pässw"ord\\1/+?&<>' $(x)\`y 2026`;
const bytes = createHash('sha256').update('canary').digest();
const base64url = bytes.toString('base64url');

/** What programs, shells, servers and terminals make of a text. */
const shown: Readonly<Record<string, (text: string) => string | Uint8Array>> = {
  itself: (given) => `before ${given} after`,
  JSON: (given) => JSON.stringify({ given }),
  'JSON in JSON': (given) => JSON.stringify({ line: JSON.stringify({ given }) }),
  'JSON in ASCII': (given) =>
    JSON.stringify(given).replace(
      /[^\x20-\x7e]/g,
      (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`,
    ),
  'a URL': (given) => `https://host/?q=${encodeURIComponent(given)}`,
  'a URL in lower case': (given) =>
    `https://host/?q=${encodeURIComponent(given).replace(/%../g, (code) => code.toLowerCase())}`,
  'a form': (given) => new URLSearchParams({ given }).toString(),
  HTML: (given) =>
    `<b>${given.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;').replaceAll("'", '&#39;')}</b>`,
  'single quotes of a shell': (given) => `echo '${given.replaceAll("'", "'\\''")}'`,
  'double quotes of a shell': (given) => `echo "${given.replace(/["$`\\]/g, '\\$&')}"`,
  hexadecimal: (given) => Buffer.from(given).toString('hex'),
  'upper-case hexadecimal': (given) => Buffer.from(given).toString('hex').toUpperCase(),
  'a dump': (given) => inspect(Buffer.from(given)),
  'a JSON buffer': (given) => JSON.stringify(Buffer.from(given)),
  base64: (given) => Buffer.from(given).toString('base64'),
  'base64, shifted by one': (given) => Buffer.from(`x${given} and more`).toString('base64'),
  'base64, shifted by two': (given) => Buffer.from(`xy${given} and more`).toString('base64url'),
  'base64 of base64': (given) =>
    Buffer.from(`a ${Buffer.from(`x${given}yz`).toString('base64')}`).toString('base64'),
  'wrapped base64': (given) =>
    (
      Buffer.from(`${given}${given}${given}`)
        .toString('base64')
        .match(/.{1,20}/g) ?? []
    ).join('\n'),
  'UTF-16': (given) => Buffer.from(given, 'utf16le'),
  'folded YAML': (given) => (given.match(/.{1,12}/gu) ?? []).join('\n      '),
  'a coloured terminal': (given) => [...given].map((c) => `\x1b[31m${c}\x1b[0m`).join(''),
  'a boxed terminal': (given) => (given.match(/.{1,10}/gu) ?? []).join(' │\n│ '),
  'half of it': (given) => given.slice(3, 3 + Math.ceil(given.length * 0.7)),
};

describe.each(Object.entries(shown))('a secret in %s is found', (_, show) => {
  test('as a text', () => {
    const { find } = canaryScanner([secretText('text', text), secretText('other', 'quite another one')]);
    expect(find(show(text))).toEqual(['text']);
  });

  test.each([
    ['alone', secretKey],
    ['one of many', secretKeyOfMany],
  ])('as a key that is %s', (_kind, canary) => {
    const { find } = canaryScanner([canary('key', bytes), canary('other', randomBytes(32))]);
    expect(find(show(base64url))).toEqual(['key']);
  });
});

test.each([
  ['themselves', bytes],
  ['in hexadecimal', bytes.toString('hex')],
  ['in base64', `k: ${bytes.toString('base64')}`],
  [
    'in base64 inside of something',
    Buffer.concat([Buffer.from('ab'), bytes, Buffer.from('c')]).toString('base64'),
  ],
  ['in a dump', inspect(bytes)],
  ['in a JSON buffer', JSON.stringify({ bytes })],
  ['in numbers', [...bytes].join(', ')],
  [
    'as a JWK set in a key-value secret',
    JSON.stringify({
      keys: Buffer.from(JSON.stringify({ keys: [{ kty: 'oct', k: base64url }] })).toString('base64'),
    }),
  ],
])('the bytes of a key are found %s', (_, haystack) => {
  for (const canary of [secretKey, secretKeyOfMany])
    expect(canaryScanner([canary('key', bytes)]).find(haystack)).toEqual(['key']);
});

test('what is no secret is not found, however long', () => {
  const canaries = Array.from({ length: 500 }, (_, at) =>
    secretKeyOfMany(`key ${at}`, createHash('sha256').update(`key ${at}`).digest()),
  );
  const scanner = canaryScanner([...canaries, secretText('text', text)]);
  expect(scanner.size).toBeGreaterThan(10_000);
  const innocent = Array.from({ length: 20_000 }, (_, at) =>
    createHash('sha256').update(`other ${at}`).digest(),
  );
  expect(scanner.find(Buffer.concat(innocent))).toEqual([]);
  expect(scanner.find(innocent.map((each) => each.toString('base64url')).join(' '))).toEqual([]);
  expect(scanner.find(innocent.map((each) => each.toString('hex')).join(' '))).toEqual([]);
});
