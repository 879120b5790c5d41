import {
  Decrypter,
  Encrypter,
  generateHybridIdentity,
  generateIdentity,
  identityToRecipient,
} from 'age-encryption';
import { describe, expect, test } from 'vitest';
import { decryptBackup, encryptBackup } from '../../src/keys/backup.ts';

const identity = await generateIdentity();
const recipient = await identityToRecipient(identity);
const plain = new TextEncoder().encode('{"keys":"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"}');
const small = new TextEncoder().encode('key');

async function encrypted(content = plain, ...recipients: readonly string[]): Promise<Uint8Array> {
  const made = await encryptBackup(content, { recipients: recipients.length > 0 ? recipients : [recipient] });
  if (!made.ok) throw new Error(made.problem);
  return made.bytes;
}

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('latin1');
}

describe('a backup', () => {
  test('opens with the identity of each recipient, and is not readable without', async () => {
    const second = await generateIdentity();
    const bytes = await encrypted(plain, recipient, await identityToRecipient(second));
    expect(text(bytes)).not.toContain('AAEC');
    for (const key of [identity, second])
      expect(await decryptBackup(bytes, { identity: key })).toEqual({ ok: true, plain });
    const decrypter = new Decrypter();
    decrypter.addIdentity(second);
    expect(await decrypter.decrypt(bytes)).toEqual(plain);
  });

  test('opens when another program made it', async () => {
    const encrypter = new Encrypter();
    encrypter.addRecipient(recipient);
    expect(await decryptBackup(await encrypter.encrypt(plain), { identity })).toEqual({ ok: true, plain });
  });

  test('takes post-quantum recipients', async () => {
    const hybrid = await generateHybridIdentity();
    const bytes = await encrypted(plain, await identityToRecipient(hybrid));
    expect(await decryptBackup(bytes, { identity: hybrid })).toEqual({ ok: true, plain });
  });

  test('takes a passphrase', async () => {
    const made = await encryptBackup(plain, { passphrase: 'correct horse battery staple' });
    const bytes = made.ok ? made.bytes : small;
    expect(await decryptBackup(bytes, { passphrase: 'correct horse battery staple' })).toEqual({
      ok: true,
      plain,
    });
    expect(await decryptBackup(bytes, { passphrase: 'correct horse' })).toEqual({
      ok: false,
      problem: 'The backup was not encrypted to this passphrase, or its header is damaged.',
    });
    expect(await decryptBackup(bytes, { identity })).toHaveProperty('ok', false);
  });

  test('takes an identity file with comments', async () => {
    const file = `# created: today\r\n# public key: ${recipient}\r\n${identity}\r\n`;
    expect(await decryptBackup(await encrypted(), { identity: file })).toEqual({ ok: true, plain });
    const both = `${await generateIdentity()}\n${identity}`;
    expect(await decryptBackup(await encrypted(), { identity: both })).toEqual({ ok: true, plain });
  });

  test('keeps 300 kB', async () => {
    const big = new Uint8Array(300_000).map((_, index) => index % 251);
    expect(await decryptBackup(await encrypted(big), { identity })).toEqual({ ok: true, plain: big });
  });

  test('is refused with any one bit changed', async () => {
    const bytes = await encrypted(small);
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const changed = Uint8Array.from(bytes);
      changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(await decryptBackup(changed, { identity }), `bit ${bit}`).toHaveProperty('ok', false);
    }
  }, 300_000);

  test('is refused when cut, continued or replaced', async () => {
    const bytes = await encrypted(small);
    for (let length = 0; length < bytes.length; length++)
      expect(await decryptBackup(bytes.subarray(0, length), { identity }), `${length} bytes`).toHaveProperty(
        'ok',
        false,
      );
    expect(await decryptBackup(Buffer.concat([bytes, Buffer.of(0)]), { identity })).toEqual({
      ok: false,
      problem: 'The backup is damaged, or not an age file.',
    });
    expect(await decryptBackup(plain, { identity })).toHaveProperty('ok', false);
  });
});

describe('a wrong key', () => {
  test('is told apart from a damaged file', async () => {
    expect(await decryptBackup(await encrypted(), { identity: await generateIdentity() })).toEqual({
      ok: false,
      problem: 'The backup was not encrypted to this identity, or its header is damaged.',
    });
  });

  test.each([
    ['', 'No age identity is given.'],
    ['# nothing\n', 'No age identity is given.'],
    ['age1qqq', 'Identity 1 of 1 is no age identity (AGE-SECRET-KEY-1…).'],
    [`${identity}\n${identity.slice(0, -1)}`, 'Identity 2 of 2 is no age identity (AGE-SECRET-KEY-1…).'],
  ])('(case %#) is refused and not repeated', async (key, problem) => {
    expect(await decryptBackup(await encrypted(), { identity: key })).toEqual({ ok: false, problem });
  });

  test.each<[readonly string[], string]>([
    [[], 'No recipient is given.'],
    [['age1qqq'], 'Recipient 1 of 1 is no age recipient (age1…).'],
    [[recipient, ''], 'Recipient 2 of 2 is no age recipient (age1…).'],
    [[`${recipient} `], 'Recipient 1 of 1 is no age recipient (age1…).'],
    [[identity], 'Recipient 1 of 1 is an identity (secret); its public half, age1…, is needed.'],
    [
      [identity.toLowerCase()],
      'Recipient 1 of 1 is an identity (secret); its public half, age1…, is needed.',
    ],
  ])('(case %#) is no recipient', async (recipients, problem) => {
    expect(await encryptBackup(plain, { recipients })).toEqual({ ok: false, problem });
  });

  test('is no passphrase when empty', async () => {
    expect(await encryptBackup(plain, { passphrase: '' })).toEqual({
      ok: false,
      problem: 'The passphrase is empty.',
    });
  });
});
