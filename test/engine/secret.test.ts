import { inspect } from 'node:util';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  containsSecret,
  isSecretPlaceholder,
  loadSecrets,
  Secret,
  sealSecrets,
  secretPlaceholder,
  unsealSecrets,
} from '../../src/engine/secret.ts';
import type { Value } from '../../src/engine/value.ts';

const canary = 'hvs.canary-0123456789';
const token = Secret.fromText('token', canary);

describe('Secret', () => {
  test.each<[string, () => string]>([
    ['toString', () => token.toString()],
    ['String()', () => String(token)],
    ['a template literal', () => `${token}`],
    ['concatenation', () => `x${String(token)}`],
    ['JSON', () => JSON.stringify({ token })],
    ['util.inspect', () => inspect({ token }, { showHidden: true, depth: 9 })],
    ['an error message', () => new Error(`bad ${token}`).message],
    ['Object.entries', () => JSON.stringify(Object.entries(token))],
    ['a spread copy', () => JSON.stringify({ ...token })],
    ['structuredClone', () => JSON.stringify(structuredClone({ ...token }))],
  ])('does not show in %s', (_, show) => {
    expect(show()).not.toContain('canary');
    expect(show()).toContain('token');
  });

  test('reveals a copy: what is done to it changes nothing', () => {
    token.reveal((bytes) => bytes.fill(0));
    expect(token.revealText((text) => text)).toBe(canary);
    const bytes = new Uint8Array([1, 2, 3]);
    const own = new Secret('own', bytes);
    bytes.fill(9);
    expect(own.reveal((copy) => [...copy])).toEqual([1, 2, 3]);
    expect(own.byteLength).toBe(3);
  });

  test('equality is by bytes', () => {
    const text = fc.string({ unit: 'binary', maxLength: 12 });
    fc.assert(
      fc.property(text, text, (a, b) => {
        const same = Buffer.from(a).equals(Buffer.from(b));
        expect(Secret.fromText('a', a).equals(Secret.fromText('b', b))).toBe(same);
      }),
    );
    expect(Secret.fromText('a', 'x').equals(new Secret('a', new Uint8Array([120, 0])))).toBe(false);
  });

  test('a derived secret is named after what it is made of', () => {
    const user = Secret.fromText('user', 'admin');
    const basic = Secret.concat([user, ':', token]);
    const header = Secret.concat(['Basic ', basic, ' ', user]);
    expect(String(header)).toBe('«secret user+token»');
    expect(header.revealText((text) => text)).toBe(`Basic admin:${canary} admin`);
    expect(header.parts).toEqual([
      'Basic ',
      { secret: 'user' },
      ':',
      { secret: 'token' },
      ' ',
      { secret: 'user' },
    ]);
  });
});

describe('sealing', () => {
  const known: Readonly<Record<string, Secret>> = { token, user: Secret.fromText('user', 'admin') };
  const resolve = (name: string): Secret => {
    const secret = known[name];
    if (secret === undefined) throw new Error(`no secret ${name}`);
    return secret;
  };

  test('placeholders name the secret, never its value', () => {
    expect(secretPlaceholder(token)).toEqual({ $secret: 'token' });
    const sealed = sealSecrets({ a: [token], b: Secret.concat(['Bearer ', token]), c: 1 });
    expect(sealed).toEqual({
      a: [{ $secret: 'token' }],
      b: { $secret: ['Bearer ', { secret: 'token' }] },
      c: 1,
    });
    expect(JSON.stringify(sealed)).not.toContain('canary');
  });

  test('unsealing gives the same secrets back, from wherever they are read', () => {
    const sealed = sealSecrets({ a: token, b: Secret.concat(['Bearer ', token]) });
    const opened = unsealSecrets(JSON.parse(JSON.stringify(sealed)), resolve) as Record<string, Secret>;
    expect(opened.a?.equals(token)).toBe(true);
    expect(opened.b?.revealText((text) => text)).toBe(`Bearer ${canary}`);
    expect(() => unsealSecrets({ $secret: 'gone' }, resolve)).toThrow('no secret gone');
  });

  test('an object of the user with such a key is not mistaken for a secret', () => {
    const user: Value = { $secret: 'token', $$secret: 1, nested: { $secret: ['x'] } };
    const sealed = sealSecrets(user);
    expect(sealed).toEqual({ $$secret: 'token', $$$secret: 1, nested: { $$secret: ['x'] } });
    expect(unsealSecrets(sealed, resolve)).toEqual(user);
  });

  test('any JSON survives the round trip', () => {
    const key = fc.oneof(
      fc.constantFrom('$secret', '$$secret', '__proto__', 'a'),
      fc.string({ maxLength: 5 }),
    );
    const { tree } = fc.letrec<{ tree: Value }>((tie) => ({
      tree: fc.oneof(
        { maxDepth: 3 },
        fc.string(),
        fc.integer(),
        fc.constant(null),
        fc.array(tie('tree'), { maxLength: 3 }),
        fc.dictionary(key, tie('tree'), { maxKeys: 3 }),
      ),
    }));
    fc.assert(
      fc.property(tree, (value) => {
        const sealed = sealSecrets(value);
        expect(isSecretPlaceholder(sealed)).toBe(false);
        expect(JSON.stringify(unsealSecrets(sealed, resolve))).toBe(JSON.stringify(value));
      }),
    );
  });

  test.each([
    [{ $secret: 1 }],
    [{ $secret: 'a', b: 1 }],
    [{ $secret: [1] }],
    [['$secret']],
    [null],
    ['$secret'],
  ])('%j is no placeholder', (json) => {
    expect(isSecretPlaceholder(json)).toBe(false);
  });

  test('finds secrets at any depth', () => {
    expect(containsSecret({ a: [{ b: token }] })).toBe(true);
    expect(containsSecret({ a: [{ b: 'token' }], c: null })).toBe(false);
  });
});

describe('a deferred secret', () => {
  test('is fetched once, when it is loaded and not before; text mixed from it too', async () => {
    let fetched = 0;
    const token = Secret.deferred('token', async () => {
      fetched++;
      return Secret.fromText('token', 's3cret-value');
    });
    const header = Secret.concat(['Bearer ', token]);
    expect(fetched).toBe(0);
    expect(() => header.revealText((text) => text)).toThrow('the secret token was not loaded before its use');
    await loadSecrets({ headers: [header] });
    await token.load();
    expect(header.revealText((text) => text)).toBe('Bearer s3cret-value');
    expect(fetched).toBe(1);
  });

  test('says what its source says, and is tried again', async () => {
    let calls = 0;
    const token = Secret.deferred('token', async () => {
      calls++;
      if (calls === 1) throw new Error('403');
      return Secret.fromText('token', 's3cret-value');
    });
    await expect(token.load()).rejects.toThrow('403');
    await token.load();
    expect(token.byteLength).toBe(12);
  });

  test('is fetched once for steps that need it at the same time, and again after a failure', async () => {
    let asked = 0;
    const slow = Secret.deferred('token', async () => {
      asked += 1;
      if (asked === 1) throw new Error('sealed');
      return Secret.fromText('token', canary);
    });
    const derived = Secret.concat(['Bearer ', slow]);
    expect((await Promise.allSettled([slow.load(), derived.load()])).map(({ status }) => status)).toEqual([
      'rejected',
      'rejected',
    ]);
    expect(asked).toBe(1);
    await Promise.all([slow.load(), derived.load(), loadSecrets([slow, derived])]);
    expect(asked).toBe(2);
    expect(derived.revealText((text) => text)).toBe(`Bearer ${canary}`);
  });
});
