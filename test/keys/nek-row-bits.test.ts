import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { rowVerdict } from '../../src/keys/nek-row.ts';
import {
  createdAt,
  documentWith,
  encryptedAt,
  kids,
  otherNekKid,
  otherNekText,
  rowOf,
  withParts,
} from './made.ts';

const document = documentWith(kids.second, kids.first);
const row = await rowOf();
const jwe = row.encryptedKey ?? '';

describe('a changed bit', () => {
  const fields = ['namespace', 'kid', 'createdAt', 'encryptedByKid', 'encryptedKey', 'status'] as const;

  test.each(fields)('in %s never gives a wrong key', (field) => {
    const bytes = Buffer.from(row[field] ?? '');
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const changed = Buffer.from(bytes);
      changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      const verdict = rowVerdict({ ...row, [field]: changed.toString('latin1') }, document);
      expect(verdict.state, `bit ${bit}`).not.toBe('usable');
    }
  });

  test('in encrypted_at is detected', () => {
    for (let bit = 0; bit < 53; bit++) {
      const changed = Number(BigInt(encryptedAt) ^ (1n << BigInt(bit)));
      expect(rowVerdict({ ...row, encryptedAt: changed }, document)).toEqual({
        state: 'skipped',
        reason: 'encrypted-at',
      });
    }
  });

  test('in the bytes of the JWE is detected', () => {
    for (const [index, part] of jwe.split('.').entries())
      for (let bit = 0; bit < Buffer.from(part, 'base64url').length * 8; bit++) {
        const bytes = Buffer.from(part, 'base64url');
        bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        const changed = withParts(jwe, { [index]: bytes.toString('base64url') });
        expect(rowVerdict({ ...row, encryptedKey: changed }, document).state).not.toBe('usable');
      }
  });

  test('in current_kid is irrelevant to the row', () => {
    expect(rowVerdict({ ...row, currentKid: 'x' }, document).state).toBe('usable');
  });
});

test('two rows with their JWEs swapped are both refused', async () => {
  const variation = fc.record({
    namespace: fc.constantFrom('nvcf', 'other'),
    createdAt: fc.constantFrom(createdAt, kids.first),
    encryptedAt: fc.constantFrom(encryptedAt, encryptedAt + 1),
    mek: fc.constantFrom(kids.first, kids.second),
  });
  await fc.assert(
    fc.asyncProperty(variation, variation, fc.boolean(), async (one, other, sameKey) => {
      fc.pre(!sameKey || JSON.stringify(one) !== JSON.stringify(other));
      const left = await rowOf(one);
      const otherKey = { kid: otherNekKid, plain: otherNekText };
      const right = await rowOf(sameKey ? other : { ...other, ...otherKey });
      expect([left, right].map((made) => rowVerdict(made, document).state)).toEqual(['usable', 'usable']);
      const swapped = [
        { ...left, encryptedKey: right.encryptedKey },
        { ...right, encryptedKey: left.encryptedKey },
      ];
      expect(swapped.map((made) => rowVerdict(made, document).state)).toEqual(['skipped', 'skipped']);
    }),
  );
});
