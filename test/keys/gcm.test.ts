import { createSecretKey } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { freshIv, openGcm, sealGcm } from '../../src/keys/gcm.ts';
import vectors from './wycheproof-aes-256-gcm.json' with { type: 'json' };

const hex = (text: string) => Buffer.from(text, 'hex');

describe('AES-256-GCM', () => {
  test.each(vectors.tests)('Wycheproof $tcId: $result ($comment)', (vector) => {
    const key = createSecretKey(hex(vector.key));
    const sealed = {
      iv: hex(vector.iv),
      aad: hex(vector.aad),
      ciphertext: hex(vector.ct),
      tag: hex(vector.tag),
    };
    expect(openGcm(key, sealed)?.toString('hex')).toBe(vector.result === 'valid' ? vector.msg : undefined);
    const again = sealGcm(key, { ...sealed, plain: hex(vector.msg) });
    expect(again.ciphertext.toString('hex') === vector.ct && again.tag.toString('hex') === vector.tag).toBe(
      vector.result === 'valid',
    );
  });

  test('opens the content of RFC 7516 §A.1', () => {
    const key = Uint8Array.of(
      ...[177, 161, 244, 128, 84, 143, 225, 115, 63, 180, 3, 255, 107, 154, 212, 246],
      ...[138, 7, 110, 91, 112, 46, 34, 105, 47, 130, 203, 46, 122, 234, 64, 252],
    );
    const plain = openGcm(createSecretKey(key), {
      iv: Buffer.from('48V1_ALb6US04U3b', 'base64url'),
      aad: Buffer.from('eyJhbGciOiJSU0EtT0FFUCIsImVuYyI6IkEyNTZHQ00ifQ'),
      ciphertext: Buffer.from(
        '5eym8TW_c8SuK0ltJ3rpYIzOeDQz7TALvtu6UG9oMo4vpzs9tX_EFShS8iB7j6jiSdiwkIr3ajwQzaBtQD_A',
        'base64url',
      ),
      tag: Buffer.from('XFBoMYUZodetZdvTiFvSkQ', 'base64url'),
    });
    expect(plain?.toString()).toBe('The true sign of intelligence is not knowledge but imagination.');
  });

  test('takes no tag of 4 bytes, whoever forgot to look at its length', () => {
    const key = createSecretKey(Buffer.alloc(32));
    const open = { iv: Buffer.alloc(12), aad: Buffer.alloc(0), plain: Buffer.from('key') };
    const { ciphertext, tag } = sealGcm(key, open);
    expect(openGcm(key, { ...open, ciphertext, tag })?.toString()).toBe('key');
    expect(() => openGcm(key, { ...open, ciphertext, tag: tag.subarray(0, 4) })).toThrow('tag length');
  });

  test('never uses an initialisation vector twice', () => {
    const seen = new Set(Array.from({ length: 100_000 }, () => freshIv().toString('hex')));
    expect(seen.size).toBe(100_000);
    expect([...seen].every((iv) => iv.length === 24)).toBe(true);
  });
});
