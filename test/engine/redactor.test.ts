import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createRedactor, type Redactor, ShortSecretError } from '../../src/engine/redactor.ts';
import { Secret } from '../../src/engine/secret.ts';

const awkward = `pa'ss"w$or\`d&<x>\\ é/+~!`;
const mask = '«secret token»';

function redactorFor(...texts: string[]): Redactor {
  const redactor = createRedactor();
  for (const text of texts) redactor.add(Secret.fromText('token', text));
  return redactor;
}

function streamed(redactor: Redactor, text: string, cuts: readonly number[]): string {
  const stream = redactor.stream();
  const places = [...new Set(cuts.map((cut) => cut % (text.length + 1)))].sort((a, b) => a - b);
  let shown = '';
  let from = 0;
  for (const place of [...places, text.length]) {
    shown += stream.push(text.slice(from, place));
    from = place;
  }
  return shown + stream.end();
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64');
}

function wrap(text: string, width: number, separator: string): string {
  return (text.match(new RegExp(`.{1,${width}}`, 'gs')) ?? []).join(separator);
}

/** How programs show a value; written independently of what the redactor looks for. */
const encodings: Readonly<Record<string, (text: string) => string>> = {
  raw: (text) => text,
  'JSON string': (text) => JSON.stringify({ value: text }),
  'JSON in JSON': (text) => JSON.stringify({ log: JSON.stringify({ value: text }) }),
  'JSON, ASCII only': (text) =>
    JSON.stringify(text).replace(
      /[\u007f-\uffff]/g,
      (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`,
    ),
  'URL component': (text) => encodeURIComponent(text),
  'URL, lower case': (text) => encodeURIComponent(text).replace(/%../g, (code) => code.toLowerCase()),
  'form body': (text) => new URLSearchParams({ v: text }).toString(),
  HTML: (text) =>
    text.replace(/[&<>"']/g, (c) => `&${{ '&': 'amp', '<': 'lt', '>': 'gt', '"': 'quot', "'": '#39' }[c]};`),
  XML: (text) =>
    text.replace(/[&<>"']/g, (c) => `&${{ '&': 'amp', '<': 'lt', '>': 'gt', '"': 'quot', "'": 'apos' }[c]};`),
  'Go html/template': (text) =>
    text.replace(/[&<>"']/g, (c) => `&${{ '&': 'amp', '<': 'lt', '>': 'gt', '"': '#34', "'": '#39' }[c]};`),
  'shell, single quotes': (text) => `'${text.split("'").join("'\\''")}'`,
  hex: (text) => Buffer.from(text).toString('hex'),
  'hex, upper case': (text) => Buffer.from(text).toString('hex').toUpperCase(),
  base64,
  'base64, one byte before': (text) => base64(`x${text}yz`),
  'base64, two bytes before': (text) => base64(`xy${text}z`),
  base64url: (text) => Buffer.from(`a${text}`).toString('base64url'),
  'base64 of base64': (text) => base64(`v=${base64(text)}`),
  'base64 wrapped at 64': (text) => wrap(base64(`prefix ${text.repeat(3)}`), 64, '\n'),
  'base64 wrapped at 76, CRLF': (text) => wrap(base64(text.repeat(4)), 76, '\r\n'),
  'base64 indented in YAML': (text) => wrap(base64(`{"a":"${text}"}`), 20, '\n    '),
  'folded at blanks': (text) => text.replaceAll(' ', '\n      '),
  'two lines of a log': (text) => `first ${text}\nsecond ${text}${text}\n`,
};

/** What is left of the secret, in any encoding, anywhere: runs of 12 characters, not blanks alone, that only the secret explains. */
function leaks(shown: string, secret: string, encode: (text: string) => string): boolean {
  const whole = encode(secret);
  const clean = encode('');
  for (let at = 0; at + 12 <= whole.length; at++) {
    const run = whole.slice(at, at + 12);
    if (run.trim() !== '' && !clean.includes(run) && shown.includes(run)) return true;
  }
  return false;
}

describe.each(Object.entries(encodings))('%s', (_, encode) => {
  test('a secret does not come through, whole or in pieces', () => {
    const redactor = redactorFor(awkward, 'hvs.CAESIJ0123456789abcdefghijkl');
    for (const secret of [awkward, 'hvs.CAESIJ0123456789abcdefghijkl']) {
      const text = `before ${encode(secret)} after`;
      const shown = redactor.text(text);
      expect(shown).toContain(mask);
      expect(leaks(shown, secret, encode)).toBe(false);
      expect(shown.startsWith('before ')).toBe(true);
      for (let cut = 0; cut <= text.length; cut += 3) expect(streamed(redactor, text, [cut])).toBe(shown);
    }
  });
});

test('random secrets, encodings and splits: nothing leaks, and a stream shows what text() shows', () => {
  const secret = fc.oneof(
    fc.string({ unit: 'grapheme', minLength: 9, maxLength: 60 }),
    fc.string({ unit: 'grapheme-ascii', minLength: 9, maxLength: 40 }),
    fc.base64String({ minLength: 16, maxLength: 88 }),
  );
  const around = fc.string({ unit: 'grapheme-ascii', maxLength: 30 });
  fc.assert(
    fc.property(
      // What is spread over lines is looked for without its blanks and backslashes: enough has to be left.
      secret.filter((text) => Buffer.byteLength(text.replace(/[\s\\]/g, '')) >= 9),
      fc.constantFrom(...Object.keys(encodings)),
      around,
      fc.array(fc.nat(400), { maxLength: 8 }),
      (text, name, between, cuts) => {
        const encode = encodings[name] ?? String;
        const redactor = redactorFor(text);
        const output = `${between} ${encode(text)} ${between}`;
        const shown = redactor.text(output);
        expect(shown).toContain(mask);
        expect(streamed(redactor, output, cuts)).toBe(shown);
        if (!/^[{}[\]",:.\s]*$/.test(text))
          expect(leaks(shown, text, encode) && !between.includes(text)).toBe(false);
      },
    ),
    { numRuns: 400 },
  );
});

test('clean text is unchanged, whole or in pieces', () => {
  const redactor = redactorFor(awkward, 'hvs.CAESIJ0123456789abcdefghijkl');
  fc.assert(
    fc.property(
      fc.string({ unit: 'binary', maxLength: 60 }),
      fc.array(fc.nat(80), { maxLength: 6 }),
      (text, cuts) => {
        expect(redactor.text(text)).toBe(text);
        expect(streamed(redactor, text, cuts)).toBe(text);
        expect(streamed(createRedactor(), text, cuts)).toBe(text);
      },
    ),
  );
});

test('what cannot be part of a secret is not held back', () => {
  const stream = redactorFor('hvs.0123456789').stream();
  expect(stream.push('pod nvcf-api-7d9c is ready\n')).toBe('pod nvcf-api-7d9c is ready\n');
  expect(stream.push('token hvs.0123')).toBe('token ');
  expect(stream.push('45')).toBe('');
  expect(stream.push(' no, another one')).toMatch(/^hvs\.012345 no, another one?$/);
  expect(stream.push(' hvs.0123456789')).toContain(mask);
  expect(stream.push('!') + stream.end()).toBe('!');
});

test('overlapping and repeated secrets become masks without remains, in bounded memory', () => {
  const redactor = createRedactor();
  redactor.add(Secret.fromText('a', 'aaaaaaaa'));
  expect(redactor.text(`x${'a'.repeat(30)}x`)).toBe('x«secret a»x');
  const stream = redactor.stream();
  let shown = '';
  for (let index = 0; index < 3000; index++) shown += stream.push('aaaaa');
  expect(`${shown}${stream.push('b')}${stream.end()}`).toBe('«secret a»b');
});

test('a secret that is added late is hidden from then on', () => {
  const redactor = redactorFor('first-secret');
  const stream = redactor.stream();
  expect(stream.push('other-secret first-secret ')).toBe(`other-secret ${mask} `);
  redactor.add(Secret.fromText('late', 'other-secret'));
  expect(stream.push('other-secret.') + stream.end()).toBe('«secret late».');
});

describe('what is registered of a secret', () => {
  test('its lines, but not the frame around a key', () => {
    const pem =
      '-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqh\nkiG9w0BAQEFAASCBK\n-----END PRIVATE KEY-----\n';
    const redactor = redactorFor(pem);
    expect(redactor.text('> kiG9w0BAQEFAASCBK <')).toBe(`> ${mask} <`);
    expect(redactor.text('-----BEGIN PRIVATE KEY-----')).toBe('-----BEGIN PRIVATE KEY-----');
  });

  test('the texts in a JSON document, but not key ids and algorithms', () => {
    const jwk = { kid: '7b0a4c7e-6f2f-11f0', kty: 'oct', alg: 'A256GCM', k: 'c2VjcmV0LWtleS1ieXRlcw' };
    const redactor = redactorFor(JSON.stringify({ keys: [jwk], list: ['in-a-list-too'] }, null, 2));
    expect(redactor.text(`kid ${jwk.kid} ${jwk.alg} k ${jwk.k}`)).toBe(`kid ${jwk.kid} ${jwk.alg} k ${mask}`);
    expect(redactor.text('in-a-list-too')).toBe(mask);
    expect(redactor.text('{ } [ ] "keys"')).toBe('{ } [ ] "keys"');
  });

  test('its trimmed form', () => {
    expect(redactorFor('  padded-secret\n').text('padded-secret')).toBe(mask);
  });

  test('bytes that are no text', () => {
    const redactor = createRedactor();
    const bytes = Uint8Array.from({ length: 32 }, (_, index) => 255 - index * 7);
    redactor.add(new Secret('token', bytes));
    expect(redactor.text(Buffer.from(bytes).toString('hex'))).toBe(mask);
    expect(redactor.text(`k=${Buffer.from(bytes).toString('base64url')}`)).toMatch(/^k=«secret token».?$/);
  });

  test('a published default that is a name, too, in its encodings alone', () => {
    const redactor = redactorFor('cassandra');
    const names = 'pod cassandra-0 in cassandra-system';
    expect(redactor.text(names)).toBe(names);
    expect(redactor.text(`auth ${base64('cassandra')}`)).toBe(`auth ${mask}`);
    expect(redactorFor('cassandra2').text('cassandra2')).toBe(mask);
  });

  test('nothing below 8 bytes: refused, without the value', () => {
    const redactor = createRedactor();
    expect(() => redactor.add(Secret.fromText('pin', 'q7#zK'))).toThrow(ShortSecretError);
    expect(() => redactor.add(Secret.fromText('pin', 'q7#zK'))).toThrow(/"pin" is shorter than 8 bytes/);
    expect(redactor.text('q7#zK')).toBe('q7#zK');
  });
});
