import { deflateRawSync } from 'node:zlib';
import { CompactEncrypt } from 'jose';
import { describe, expect, test } from 'vitest';
import { opensApiKeyDetails } from '../../src/keys/api-key-jwe.ts';
import { bytesOf, documentWith, encodeHeader, kids, seal, withParts } from './made.ts';

const { privateJwks, keys } = documentWith(kids.second, kids.first);
const details = new TextEncoder().encode('{"policies":["invoke_function"]}');

async function wrapped(
  header: Record<string, unknown> = {},
  key: Uint8Array = bytesOf(`private ${kids.first}`),
  plain: Uint8Array = details,
): Promise<string> {
  return new CompactEncrypt(plain)
    .setProtectedHeader({ alg: 'A256GCMKW', enc: 'A256GCM', kid: kids.first, ...header })
    .encrypt(key);
}

describe('opensApiKeyDetails', () => {
  test('opens with the key that the header names', async () => {
    expect(opensApiKeyDetails(await wrapped(), privateJwks)).toEqual({ ok: true, kid: kids.first });
    expect(opensApiKeyDetails(await wrapped({ typ: 'JWT' }), privateJwks)).toHaveProperty('ok', true);
  });

  test('tells the two keys of one kid apart', async () => {
    expect(opensApiKeyDetails(await wrapped(), keys)).toEqual({ ok: false, reason: 'decrypt' });
    const fromKeys = await wrapped({}, bytesOf(`keys ${kids.first}`));
    expect(opensApiKeyDetails(fromKeys, privateJwks)).toEqual({ ok: false, reason: 'decrypt' });
    expect(opensApiKeyDetails(fromKeys, keys)).toHaveProperty('ok', true);
  });

  test('does not mind compressed content', async () => {
    const long = deflateRawSync(Buffer.from('policy '.repeat(100)));
    expect(opensApiKeyDetails(await wrapped({ cty: 'JWT' }, undefined, long), privateJwks)).toHaveProperty(
      'ok',
      true,
    );
  });

  test('refuses any single changed bit', async () => {
    const jwe = await wrapped();
    for (const [index, part] of jwe.split('.').entries()) {
      const bytes = Buffer.from(part, 'base64url');
      for (let bit = 0; bit < bytes.length * 8; bit++) {
        bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        const changed = withParts(jwe, { [index]: bytes.toString('base64url') });
        expect(opensApiKeyDetails(changed, privateJwks).ok, `part ${index}, bit ${bit}`).toBe(false);
        bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      }
    }
  });

  test('says why', async () => {
    const jwe = await wrapped();
    const reason = (text: string) => {
      const opened = opensApiKeyDetails(text, privateJwks);
      return opened.ok ? 'opened' : opened.reason;
    };
    const header = JSON.parse(Buffer.from(jwe.split('.')[0] ?? '', 'base64url').toString()) as object;
    const changed = (over: object) => withParts(jwe, { 0: encodeHeader({ ...header, ...over }) });
    expect(reason('abc')).toBe('jwe-parts');
    expect(reason(await seal('x', bytesOf('y'), { kid: kids.first }))).toBe('alg');
    expect(reason(changed({ alg: 'none' }))).toBe('alg-none');
    expect(reason(changed({ enc: 'A128GCM' }))).toBe('enc');
    expect(reason(changed({ enc: undefined }))).toBe('enc-missing');
    expect(reason(changed({ kid: undefined }))).toBe('kid-missing');
    expect(reason(changed({ kid: kids.third }))).toBe('mek-missing');
    expect(reason(changed({ iv: undefined }))).toBe('header');
    expect(reason(changed({ iv: 'AAAA' }))).toBe('iv-length');
    expect(reason(changed({ tag: 'AAAA' }))).toBe('tag-length');
    expect(reason(changed({ crit: ['x'] }))).toBe('header-member');
    expect(reason(withParts(jwe, { 1: 'AAAA' }))).toBe('key-part');
  });
});
