import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { uuidV1Time } from '../../src/keys/kid.ts';
import type { MekChange } from '../../src/keys/mek-change.ts';
import {
  activateKey,
  appendKey,
  continuity,
  mergeKeys,
  replacePrivateKey,
  retireKey,
  withdrawKey,
} from '../../src/keys/mek-change.ts';
import type { MekDocument } from '../../src/keys/mek-document.ts';
import { parseMekDocument, serializeMekDocument } from '../../src/keys/mek-document.ts';
import { bytesOf, decodeFields, documentOf, documentWith, encodeSet, fieldsOf, jwk, kids } from './made.ts';

const v4 = '0b0ea1d4-6c43-4f6e-9f2c-6f3f5e8d9a10';

function changed(change: MekChange): MekDocument {
  if (!change.ok) throw new Error(change.problem);
  return change.document;
}

/** kid → key text, per set, read with plain JSON. */
function pairs(document: MekDocument): { readonly keys: string[]; readonly privateJwks: string[] } {
  const { keys, privateJwks } = decodeFields(serializeMekDocument(document));
  return {
    keys: keys.map(({ kid, k }) => `${kid} ${k}`),
    privateJwks: privateJwks.map(({ kid, k }) => `${kid} ${k}`),
  };
}

describe('appendKey', () => {
  const before = documentWith(kids.second, kids.first);
  const after = changed(appendKey(before, { kid: kids.third }));

  test('puts a key at the end of both sets and changes nothing else', () => {
    const { fields, keys, privateJwks } = decodeFields(serializeMekDocument(after));
    const original = decodeFields(serializeMekDocument(before));
    expect(keys.slice(0, 2)).toEqual(original.keys);
    expect(privateJwks.slice(0, 2)).toEqual(original.privateJwks);
    expect(fields.current_kid).toBe(kids.second);
    expect(fields.jwe_mapping).toBe(original.fields.jwe_mapping);
    for (const made of [keys[2], privateJwks[2]]) {
      expect(made).toEqual({ kty: 'oct', use: 'enc', kid: kids.third, k: made?.k, alg: 'A256GCM' });
      expect(Buffer.from(String(made?.k), 'base64url')).toHaveLength(32);
      expect(made?.k).toMatch(/^[A-Za-z0-9_-]{43}$/);
    }
  });

  test('draws the bytes of each set by themselves, each time anew', () => {
    const again = changed(appendKey(before, { kid: kids.third }));
    const texts = [after, again].flatMap((document) => {
      const { keys, privateJwks } = decodeFields(serializeMekDocument(document));
      return [keys[2]?.k, privateJwks[2]?.k];
    });
    expect(new Set(texts).size).toBe(4);
  });

  test('refuses a kid that is taken, of another version, or not newer', () => {
    expect(appendKey(before, { kid: kids.first })).toHaveProperty(
      'problem',
      expect.stringMatching(/already in the document|not newer/),
    );
    expect(appendKey(after, { kid: kids.third })).toHaveProperty('ok', false);
    expect(appendKey(before, { kid: v4 })).toHaveProperty(
      'problem',
      `The new kid ${v4} is no lower-case UUIDv1.`,
    );
    expect(appendKey(documentWith(kids.third), { kid: kids.second })).toHaveProperty(
      'problem',
      `The new kid ${kids.second} is not newer than ${kids.third}; ESS would take it for the older key.`,
    );
  });

  test('refuses a kid of the same millisecond', () => {
    const sameTime = kids.first.replace('-9234-', '-9235-');
    expect(appendKey(documentWith(kids.first), { kid: sameTime })).toHaveProperty('ok', false);
  });

  test('refuses a kid that only private_jwks has', () => {
    const document = documentOf({
      ...fieldsOf([kids.first]),
      private_jwks: encodeSet([jwk(kids.first, bytesOf('a')), jwk(kids.third, bytesOf('b'))]),
    });
    expect(appendKey(document, { kid: kids.third })).toHaveProperty('ok', false);
  });
});

describe('activateKey', () => {
  const before = documentWith(kids.second, kids.first);

  test('moves the key of each set to the front, sets both marks, and back again', () => {
    const active = changed(activateKey(before, kids.first));
    const { fields } = decodeFields(serializeMekDocument(active));
    expect(pairs(active)).toEqual({
      keys: pairs(before).keys.toReversed(),
      privateJwks: pairs(before).privateJwks.toReversed(),
    });
    expect(fields.current_kid).toBe(kids.first);
    expect(fields.jwe_mapping).toBe(`{"payload_jwe_kid":"${kids.first}"}`);
    const demoted = changed(activateKey(active, kids.second));
    expect(Buffer.from(serializeMekDocument(demoted))).toEqual(Buffer.from(serializeMekDocument(before)));
  });

  test('refuses what a consumer would refuse', () => {
    const odd = documentOf({
      ...fieldsOf([kids.second]),
      keys: encodeSet([kids.second, v4, kids.first].map((kid) => jwk(kid, bytesOf(kid)))),
      private_jwks: encodeSet([kids.second, v4].map((kid) => jwk(kid, bytesOf(kid)))),
    });
    expect(activateKey(odd, kids.third)).toHaveProperty('problem', `The kid ${kids.third} is not in keys.`);
    expect(activateKey(odd, kids.first)).toHaveProperty(
      'problem',
      `The kid ${kids.first} is not in private_jwks.`,
    );
    expect(activateKey(odd, v4)).toHaveProperty('ok', false);
  });
});

describe.each([
  ['withdrawKey', withdrawKey],
  ['retireKey', retireKey],
] as const)('%s', (_, remove) => {
  test('takes the key out of both sets, and nothing else', () => {
    const after = changed(remove(documentWith(kids.third, kids.second, kids.first), kids.second));
    expect(pairs(after)).toEqual(pairs(documentWith(kids.third, kids.first)));
  });

  test('refuses the active key and one that is not there', () => {
    const document = documentWith(kids.second, kids.first);
    expect(remove(document, kids.second)).toHaveProperty(
      'problem',
      `The kid ${kids.second} is the active one.`,
    );
    expect(remove(document, kids.third)).toHaveProperty('ok', false);
  });
});

test('withdrawKey takes appendKey back', () => {
  const before = documentWith(kids.first);
  const after = changed(withdrawKey(changed(appendKey(before, { kid: kids.second })), kids.second));
  expect(Buffer.from(serializeMekDocument(after))).toEqual(Buffer.from(serializeMekDocument(before)));
});

describe('mergeKeys', () => {
  test('adds what is missing to each set, at the end', () => {
    const now = documentWith(kids.third, kids.second);
    const merged = mergeKeys(now, documentWith(kids.second, kids.first));
    if (!merged.ok) throw new Error(merged.problem);
    expect(merged.added).toEqual([
      { set: 'keys', kid: kids.first },
      { set: 'private_jwks', kid: kids.first },
    ]);
    expect(pairs(merged.document)).toEqual(pairs(documentWith(kids.third, kids.second, kids.first)));
    expect(merged.document.currentKid).toBe(kids.third);
    expect(mergeKeys(merged.document, now)).toHaveProperty('added', []);
  });

  test('refuses other bytes under a kid of the same set, and names each', () => {
    const overwritten = documentOf({
      ...fieldsOf([kids.first]),
      private_jwks: encodeSet([jwk(kids.first, bytesOf(`keys ${kids.first}`))]),
    });
    expect(mergeKeys(documentWith(kids.first), overwritten)).toEqual({
      ok: false,
      problem: `The same kid has other bytes in the two documents: ${kids.first} in private_jwks.`,
    });
  });
});

describe('after the published rotation, which copies keys over private_jwks', () => {
  const before = documentWith(kids.first);
  const rotated = [kids.second, kids.first].map((kid) => jwk(kid, bytesOf(`keys ${kid}`)));
  const damaged = documentOf({
    ...fieldsOf([kids.second]),
    keys: encodeSet(rotated),
    private_jwks: encodeSet(rotated),
  });

  test('continuity tells which key of private_jwks is gone', () => {
    expect(continuity(before, damaged)).toEqual([
      expect.stringMatching(
        new RegExp(
          `^private_jwks has other bytes under the kid ${kids.first} \\([0-9a-f]{12}, before [0-9a-f]{12}\\)\\.$`,
        ),
      ),
    ]);
    expect(
      continuity(damaged, documentOf({ ...fieldsOf([kids.second]), keys: encodeSet(rotated) })),
    ).toHaveLength(2);
    expect(continuity(before, before)).toEqual([]);
  });

  test('continuity tells which key is lost', () => {
    expect(continuity(documentWith(kids.second, kids.first), documentWith(kids.second))).toEqual([
      expect.stringMatching(new RegExp(`^keys lost the key ${kids.first} \\([0-9a-f]{12}\\)\\.$`)),
      expect.stringMatching(new RegExp(`^private_jwks lost the key ${kids.first} \\([0-9a-f]{12}\\)\\.$`)),
    ]);
  });

  test('replacePrivateKey brings the bytes back, and touches nothing else', () => {
    const repaired = changed(replacePrivateKey(damaged, { kid: kids.first, from: before }));
    expect(continuity(before, repaired)).toEqual([]);
    expect(pairs(repaired).keys).toEqual(pairs(damaged).keys);
    expect(pairs(repaired).privateJwks).toEqual([
      pairs(damaged).privateJwks[0],
      `${kids.first} ${bytesOf(`private ${kids.first}`).toString('base64url')}`,
    ]);
    expect(replacePrivateKey(damaged, { kid: kids.third, from: before })).toHaveProperty('ok', false);
    expect(replacePrivateKey(before, { kid: kids.second, from: damaged })).toHaveProperty('ok', false);
  });
});

describe('any sequence of changes', () => {
  const uuid = (time: number) => {
    const ticks = (BigInt(time) * 10_000n + 122_192_928_000_000_000n).toString(16).padStart(15, '0');
    return `${ticks.slice(7)}-${ticks.slice(3, 7)}-1${ticks.slice(0, 3)}-8000-0300000000ab`;
  };
  const operation = fc.oneof(
    fc.record({ do: fc.constant('append' as const), time: fc.integer({ min: 1, max: 40 }) }),
    fc.record({
      do: fc.constantFrom('activate' as const, 'withdraw' as const, 'merge' as const, 'write' as const),
      at: fc.nat({ max: 8 }),
    }),
  );

  test('keeps each (kid, bytes) of each set, unless withdrawKey took it', () => {
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 30 }), (operations) => {
        let document = documentWith(kids.first);
        const history = [document];
        const kept = {
          keys: new Set(pairs(document).keys),
          privateJwks: new Set(pairs(document).privateJwks),
        };
        for (const step of operations) {
          const at = 'at' in step ? step.at : 0;
          const kid = document.keys[at % document.keys.length]?.kid ?? '';
          const change: MekChange =
            step.do === 'append'
              ? appendKey(document, { kid: uuid(kidTime + step.time) })
              : step.do === 'activate'
                ? activateKey(document, kid)
                : step.do === 'withdraw'
                  ? withdrawKey(document, kid)
                  : step.do === 'merge'
                    ? mergeKeys(document, history[at % history.length] ?? document)
                    : reread(document);
          if (!change.ok) continue;
          document = change.document;
          history.push(document);
          if (step.do === 'withdraw')
            for (const set of [kept.keys, kept.privateJwks])
              for (const pair of set) if (pair.startsWith(kid)) set.delete(pair);
          const now = pairs(document);
          expect(now.keys).toEqual(expect.arrayContaining([...kept.keys]));
          expect(now.privateJwks).toEqual(expect.arrayContaining([...kept.privateJwks]));
          for (const pair of now.keys) kept.keys.add(pair);
          for (const pair of now.privateJwks) kept.privateJwks.add(pair);
          expect(document.keys[0]?.kid).toBe(document.currentKid);
          expect(uuidV1Time(document.currentKid)).toBeDefined();
          expect(parseMekDocument(serializeMekDocument(document))).toHaveProperty('ok', true);
        }
      }),
      { numRuns: 150 },
    );
  });

  const kidTime = 1700000000000;

  function reread(document: MekDocument): MekChange {
    const read = parseMekDocument(serializeMekDocument(document));
    return read.ok ? read : { ok: false, problem: read.problems.join() };
  }
});
