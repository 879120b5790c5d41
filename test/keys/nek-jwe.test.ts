import { inspect } from 'node:util';
import fc from 'fast-check';
import { calculateJwkThumbprint, compactDecrypt } from 'jose';
import { describe, expect, test } from 'vitest';
import { activateKey, appendKey } from '../../src/keys/mek-change.ts';
import { Nek } from '../../src/keys/nek.ts';
import { parseJweHeader, unwrapNek, wrapNek } from '../../src/keys/nek-jwe.ts';
import {
  bytesOf,
  createdAt,
  documentOf,
  documentWith,
  encodeHeader,
  encodeSet,
  encryptedAt,
  fieldsOf,
  jwk,
  kids,
  nekKid,
  nekText,
  otherNekKid,
  otherNekText,
  seal,
  withParts,
} from './made.ts';

const document = documentWith(kids.second, kids.first);
const header = { kid: kids.first, version: 1, namespace: 'nvcf', createdAt, encryptedAt };
const mek = bytesOf(`keys ${kids.first}`);
const good = await seal(nekText, mek, header);

function nekOf(text: string): Nek {
  const nek = Nek.fromText(Buffer.from(text));
  if (nek === undefined) throw new Error(`${text} is no key text`);
  return nek;
}

function wrap(over: Partial<Parameters<typeof wrapNek>[1]> = {}): string {
  const how = { document, kid: kids.first, namespace: 'nvcf', createdAt, encryptedAt, ...over };
  const wrapped = wrapNek(nekOf(nekText), how);
  if (!wrapped.ok) throw new Error(wrapped.reason);
  return wrapped.jwe;
}

function reason(jwe: string): string {
  const opened = unwrapNek(jwe, document);
  return opened.ok ? 'opened' : opened.reason;
}

describe('a thumbprint', () => {
  test('is what RFC 7638 makes of the octet JWK', async () => {
    // The expected kids are from Python's hashlib.
    expect(nekOf(nekText).thumbprint).toBe(nekKid);
    expect(nekOf(otherNekText).thumbprint).toBe(otherNekKid);
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 32, maxLength: 32 }), async (bytes) => {
        const k = Buffer.from(bytes).toString('base64url');
        expect(nekOf(k).thumbprint).toBe(await calculateJwkThumbprint({ kty: 'oct', k }));
      }),
    );
  });
});

describe('Nek', () => {
  test.each([
    ['a character too few', nekText.slice(1)],
    ['a character too many', `${nekText}A`],
    ['padding', `${nekText.slice(0, 42)}=`],
    ['a spare bit', `${nekText.slice(0, 42)}9`],
    ['another alphabet', `+${nekText.slice(1)}`],
    ['a byte above 127', Buffer.concat([Buffer.from(nekText.slice(1)), Buffer.of(0xc1)])],
  ])('is not made of %s', (_, text) => {
    const bytes = Buffer.from(text);
    expect(Nek.fromText(bytes)).toBeUndefined();
    expect(bytes.every((byte) => byte === 0)).toBe(true);
  });

  test('accepts exactly what base64url writes for 32 bytes', () => {
    const unit = fc.oneof(
      { weight: 80, arbitrary: fc.constantFrom(...'AQgwB9_-') },
      { weight: 1, arbitrary: fc.constantFrom(...'+/= \n\u0000\u007f') },
    );
    fc.assert(
      fc.property(fc.string({ unit, minLength: 43, maxLength: 43 }), (text) => {
        const canonical = Buffer.from(text, 'base64url').toString('base64url') === text;
        expect(Nek.fromText(Buffer.from(text)) !== undefined).toBe(canonical);
      }),
      { numRuns: 1000 },
    );
  });

  test('shows its thumbprint alone, and nothing after wipe()', () => {
    const text = Buffer.from(nekText);
    const nek = Nek.fromText(text);
    expect(inspect(nek, { depth: 9, showHidden: true }) + JSON.stringify(nek)).not.toContain(nekText);
    expect(nek?.equals(nekOf(nekText))).toBe(true);
    expect(nek?.equals(nekOf(otherNekText))).toBe(false);
    nek?.wipe();
    expect(text.every((byte) => byte === 0)).toBe(true);
    expect(nek?.equals(nekOf(nekText))).toBe(false);
  });
});

describe('wrapNek', () => {
  test('writes what jose opens, with the header that ESS compares', async () => {
    const opened = await compactDecrypt(wrap(), mek, {
      keyManagementAlgorithms: ['dir'],
      contentEncryptionAlgorithms: ['A256GCM'],
    });
    expect(Buffer.from(opened.plaintext).toString()).toBe(nekText);
    expect(opened.protectedHeader).toEqual({ alg: 'dir', enc: 'A256GCM', ...header });
  });

  test('draws a new IV each time', () => {
    const ivs = Array.from({ length: 1000 }, () => wrap().split('.')[2]);
    expect(new Set(ivs).size).toBe(1000);
    expect(ivs.every((iv) => Buffer.from(iv ?? '', 'base64url').length === 12)).toBe(true);
  });

  test('uses the named key alone', async () => {
    const jwe = wrap({ kid: kids.second });
    await expect(compactDecrypt(jwe, bytesOf(`keys ${kids.second}`))).resolves.toBeDefined();
    await expect(compactDecrypt(jwe, mek)).rejects.toThrow();
    const how = { document, kid: kids.third, namespace: 'nvcf', createdAt, encryptedAt };
    expect(wrapNek(nekOf(nekText), how)).toEqual({ ok: false, reason: 'mek-missing' });
  });

  test('keeps any namespace', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'grapheme', maxLength: 40 }), fc.nat(), async (namespace, time) => {
        const jwe = wrap({ namespace, encryptedAt: time });
        const opened = await compactDecrypt(jwe, mek);
        expect(opened.protectedHeader).toMatchObject({ namespace, encryptedAt: time });
        const parsed = parseJweHeader(jwe);
        expect(parsed.ok && parsed.header.binding).toEqual({ namespace, createdAt, encryptedAt: time });
      }),
    );
  });
});

describe('unwrapNek', () => {
  test('opens what jose wraps', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 32, maxLength: 32 }), async (bytes) => {
        const text = Buffer.from(bytes).toString('base64url');
        const opened = unwrapNek(await seal(text, mek, header), document);
        expect(opened.ok && opened.nek.equals(nekOf(text))).toBe(true);
        expect(opened.ok && opened.header.kid).toBe(kids.first);
      }),
    );
  });

  test('reads a header in any order, with other members, spaces and escapes', async () => {
    const jwe = await seal(nekText, mek, { typ: 'JWE', cty: 'x', ...header });
    expect(reason(jwe)).toBe('opened');
    // Spaces and escapes change the header and with it the authentication: the reading is tried, not the opening.
    const spaced = `{ "alg":"dir",\n"enc":"A256GCM", "kid":"\\u0030${kids.first.slice(1)}" }`;
    expect(parseJweHeader(withParts(good, { 0: encodeHeader(spaced) }))).toEqual({
      ok: true,
      header: { kid: kids.first, binding: undefined },
    });
  });

  const plain = { alg: 'dir', enc: 'A256GCM', ...header };
  const { alg: _alg, ...noAlg } = plain;
  const { enc: _enc, ...noEnc } = plain;
  const { kid: _kid, ...noKid } = plain;
  const { namespace: _namespace, ...unnamed } = plain;
  test.each<[string, unknown]>([
    ['alg', noAlg],
    ['alg', { ...plain, alg: 'A256GCMKW' }],
    ['alg', { ...plain, alg: 'DIR' }],
    ['alg-none', { ...plain, alg: 'none' }],
    ['enc-missing', noEnc],
    ['enc-missing', { ...plain, enc: null }],
    ['enc', { ...plain, enc: 'A128CBC-HS256' }],
    ['enc', { ...plain, enc: 'A128GCM' }],
    ['kid-missing', noKid],
    ['kid-missing', { ...plain, kid: 7 }],
    ['kid-missing', { ...plain, kid: '' }],
    ...['zip', 'crit', 'jku', 'jwk', 'x5u', 'x5c', 'x5t', 'x5t#S256'].map((name): [string, unknown] => [
      'header-member',
      { ...plain, [name]: null },
    ]),
    ['version', { ...plain, version: 2 }],
    ['version', { ...plain, version: '1' }],
    ['version', { ...plain, version: null }],
    ['binding', unnamed],
    ['binding', { ...plain, createdAt: 1 }],
    ['binding', { ...plain, encryptedAt: '1751000000123' }],
    ['binding', { ...plain, encryptedAt: 1751000000123.5 }],
    ['binding', { ...plain, encryptedAt: 1e21 }],
    ['header', `{"kid":"x",${JSON.stringify(plain).slice(1)}`],
    ['header', `{"namespace":"other",${JSON.stringify(plain).slice(1)}`],
    ['header', JSON.stringify(plain).replace('123}', '123.0}')],
    ['header', `${JSON.stringify(plain)}]`],
    ['header', '[]'],
    ['header', '"dir"'],
    ['header', 'null'],
    ['header', ''],
    ['jwe-size', { ...plain, pad: 'x'.repeat(2048) }],
  ])('refuses with %s the header %j', (expected, changed) => {
    const jwe = withParts(good, { 0: encodeHeader(changed) });
    expect(reason(jwe)).toBe(expected);
    expect(parseJweHeader(jwe)).toEqual({ ok: false, reason: expected });
  });

  const [head, , iv, ciphertext, tag] = good.split('.') as [string, string, string, string, string];
  const moved = Buffer.from(tag, 'base64url');
  const invalidUtf8 = Buffer.from(head, 'base64url');
  invalidUtf8[invalidUtf8.indexOf('nvcf')] = 0xff;
  test.each<[string, string, string]>([
    ['no JWE', 'jwe-parts', 'abc'],
    ['nothing', 'jwe-parts', ''],
    ['four parts', 'jwe-parts', `${head}..${iv}.${ciphertext}`],
    ['six parts', 'jwe-parts', `${good}.`],
    ['more than 8 kB', 'jwe-size', `${good}${'A'.repeat(8192)}`],
    ['a header of invalid UTF-8', 'header', withParts(good, { 0: invalidUtf8.toString('base64url') })],
    ['an encrypted key', 'key-part', withParts(good, { 1: 'AAAA' })],
    ['a trailing newline', 'base64url', `${good}\n`],
    ['a space', 'base64url', withParts(good, { 2: `${iv} ` })],
    ['padding', 'base64url', withParts(good, { 4: `${tag}==` })],
    [
      'a stray character',
      'base64url',
      withParts(good, { 3: `${ciphertext.slice(0, 8)}!${ciphertext.slice(8)}` }),
    ],
    [
      'a spare bit',
      'base64url',
      withParts(good, { 4: tag.slice(0, -1) + String.fromCharCode(tag.charCodeAt(21) + 1) }),
    ],
    ['an IV of 16 bytes', 'iv-length', withParts(good, { 2: Buffer.alloc(16).toString('base64url') })],
    ['no IV', 'iv-length', withParts(good, { 2: '' })],
    [
      'a tag of 4 bytes with the rest in the ciphertext',
      'tag-length',
      withParts(good, {
        3: Buffer.concat([Buffer.from(ciphertext, 'base64url'), moved.subarray(0, 12)]).toString('base64url'),
        4: moved.subarray(12).toString('base64url'),
      }),
    ],
    ['a tag of 12 bytes', 'tag-length', withParts(good, { 4: moved.subarray(0, 12).toString('base64url') })],
    ['no ciphertext', 'decrypt', withParts(good, { 3: '' })],
    ['a shorter ciphertext', 'decrypt', withParts(good, { 3: ciphertext.slice(0, -2) })],
  ])('refuses %s', (_, expected, jwe) => {
    expect(reason(jwe)).toBe(expected);
  });

  test('refuses what holds no key', async () => {
    for (const text of ['', nekText.slice(1), `${nekText}A`, `${nekText.slice(0, 42)}=`])
      expect(reason(await seal(text, mek, header))).toBe('plaintext');
  });

  test('refuses a key that keys lacks, and never tries another', async () => {
    expect(reason(await seal(nekText, mek, { ...header, kid: kids.third }))).toBe('mek-missing');
    expect(reason(await seal(nekText, mek, { ...header, kid: kids.second }))).toBe('decrypt');
    // The key of private_jwks under the same kid is another one.
    expect(reason(await seal(nekText, bytesOf(`private ${kids.first}`), header))).toBe('decrypt');
  });

  test('opens by kid, whatever the order of the set', async () => {
    const all = Object.values(kids);
    const rows = await Promise.all(
      all.map((kid) => seal(nekText, bytesOf(`keys ${kid}`), { ...header, kid })),
    );
    fc.assert(
      fc.property(fc.shuffledSubarray(all, { minLength: 1 }), (order) => {
        const permuted = documentOf({
          ...fieldsOf(order),
          keys: encodeSet(order.map((kid) => jwk(kid, bytesOf(`keys ${kid}`)))),
        });
        expect(rows.map((jwe) => unwrapNek(jwe, permuted).ok)).toEqual(all.map((kid) => order.includes(kid)));
      }),
    );
  });

  test('stays with a document through append and activate', () => {
    const appended = appendKey(document, { kid: kids.third });
    const active = appended.ok ? activateKey(appended.document, kids.third) : appended;
    if (!active.ok) throw new Error(active.problem);
    const jwe = wrap({ document: active.document, kid: kids.third });
    expect(unwrapNek(jwe, active.document).ok).toBe(true);
    expect(reason(jwe)).toBe('mek-missing');
  });
});
