import { createCipheriv, randomBytes } from 'node:crypto';
import { deflateRawSync } from 'node:zlib';
import { CompactEncrypt } from 'jose';
import { describe, expect, expectTypeOf, test } from 'vitest';
import type { NewNek, StoredNek } from '../../src/keys/nek-row.ts';
import { rowVerdict } from '../../src/keys/nek-row.ts';
import { selectRow } from '../../src/keys/nek-selection.ts';
import type { NekRow, NewNekRow } from '../../src/services/nek-store.ts';
import {
  bytesOf,
  createdAt,
  documentWith,
  encodeHeader,
  encryptedAt,
  kids,
  nekKid,
  nekText,
  otherNekText,
  rowOf,
  withParts,
} from './made.ts';

const document = documentWith(kids.second, kids.first);
const mek = bytesOf(`keys ${kids.first}`);
const older = await rowOf({ encryptedAt: encryptedAt - 1000, status: 'CREATION_VALIDATED' });
const row = await rowOf();
const header = { kid: kids.first, version: 1, namespace: 'nvcf', createdAt, encryptedAt };
const jwe = row.encryptedKey ?? '';
const [, , iv = '', ciphertext = '', tag = ''] = jwe.split('.');

/** A JWE by hand, where jose refuses to make one. */
function sealed(protectedHeader: object, plain: Uint8Array, nonce: Uint8Array = randomBytes(12)): string {
  const head = encodeHeader({ alg: 'dir', enc: 'A256GCM', ...header, ...protectedHeader });
  const cipher = createCipheriv('aes-256-gcm', mek, nonce, { authTagLength: 16 });
  cipher.setAAD(Buffer.from(head));
  const content = Buffer.concat([cipher.update(plain), cipher.final()]);
  const parts = [Buffer.from(nonce), content, cipher.getAuthTag()].map((part) => part.toString('base64url'));
  return `${head}..${parts.join('.')}`;
}

async function cbc(): Promise<string> {
  return new CompactEncrypt(Buffer.from(nekText))
    .setProtectedHeader({ alg: 'dir', enc: 'A128CBC-HS256', ...header })
    .encrypt(mek);
}

function shortTag(): string {
  const whole = Buffer.concat([Buffer.from(ciphertext, 'base64url'), Buffer.from(tag, 'base64url')]);
  return withParts(jwe, {
    3: whole.subarray(0, -4).toString('base64url'),
    4: whole.subarray(-4).toString('base64url'),
  });
}

/** A status by `UPDATE` on a key that no row has. */
const ghost: StoredNek = { ...row, createdAt: null, encryptedByKid: null, encryptedKey: null };
const micros = 1751000000123456;

test('rows are those of the store', () => {
  expectTypeOf<NekRow>().toExtend<StoredNek>();
  expectTypeOf<StoredNek>().toExtend<NekRow>();
  expectTypeOf<NewNek>().toExtend<NewNekRow>();
});

/*
 * What ESS's own compiled classes did with a damaged newest row above a good older one: used the older one, failed the whole key, or
 * used the newest one. `ours` is what we do: never take a row that ESS would not, never take one that we cannot vouch for.
 */
describe.each<{
  readonly damage: string;
  readonly newest: StoredNek;
  readonly ess: 'older' | 'fails' | 'newest';
  readonly ours: 'older' | 'blocked' | 'newest';
  readonly verdict: string;
}>([
  {
    damage: 'no status',
    newest: { ...row, status: null },
    ess: 'fails',
    ours: 'blocked',
    verdict: 'fatal status-missing',
  },
  { damage: 'a ghost row', newest: ghost, ess: 'fails', ours: 'blocked', verdict: 'fatal column-missing' },
  {
    damage: 'a ghost row without a status',
    newest: { ...ghost, status: null },
    ess: 'fails',
    ours: 'blocked',
    verdict: 'fatal status-missing',
  },
  {
    damage: 'no enc',
    newest: { ...row, encryptedKey: withParts(jwe, { 0: encodeHeader({ alg: 'dir', ...header }) }) },
    ess: 'fails',
    ours: 'blocked',
    verdict: 'fatal enc-missing',
  },
  {
    damage: 'alg none',
    newest: {
      ...row,
      encryptedKey: withParts(jwe, { 0: encodeHeader({ alg: 'none', enc: 'A256GCM', ...header }) }),
    },
    ess: 'fails',
    ours: 'blocked',
    verdict: 'fatal alg-none',
  },
  {
    damage: 'the namespace of another row',
    newest: await rowOf({ header: { namespace: 'other' } }),
    ess: 'older',
    ours: 'older',
    verdict: 'skipped namespace',
  },
  {
    damage: 'a stale created_at',
    newest: await rowOf({ header: { createdAt: kids.first } }),
    ess: 'older',
    ours: 'older',
    verdict: 'skipped created-at',
  },
  {
    damage: 'a stale encrypted_at',
    newest: await rowOf({ header: { encryptedAt: encryptedAt - 1 } }),
    ess: 'older',
    ours: 'older',
    verdict: 'skipped encrypted-at',
  },
  {
    damage: 'another kid than the column',
    newest: { ...row, encryptedByKid: kids.second },
    ess: 'older',
    ours: 'older',
    verdict: 'skipped encrypted-by-kid',
  },
  {
    damage: 'another key than the row is for',
    newest: await rowOf({ plain: otherNekText }),
    ess: 'older',
    ours: 'older',
    verdict: 'skipped thumbprint',
  },
  {
    damage: 'a key that does not open',
    newest: await rowOf({ key: bytesOf('x') }),
    ess: 'older',
    ours: 'older',
    verdict: 'skipped decrypt',
  },
  {
    damage: 'a MEK that is not in the set',
    newest: await rowOf({ mek: kids.third }),
    ess: 'older',
    ours: 'older',
    verdict: 'skipped mek-missing',
  },
  {
    damage: 'microseconds in the column',
    newest: await rowOf({ encryptedAt: micros, header: { encryptedAt: 1751000000123 } }),
    ess: 'older',
    ours: 'older',
    verdict: 'skipped encrypted-at',
  },
  {
    damage: 'microseconds in column and header',
    newest: await rowOf({ encryptedAt: micros }),
    ess: 'newest',
    ours: 'newest',
    verdict: 'usable',
  },
  {
    damage: 'no version',
    newest: await rowOf({ header: { version: undefined } }),
    ess: 'newest',
    ours: 'newest',
    verdict: 'usable',
  },
  {
    damage: 'no version and stale columns',
    newest: await rowOf({ header: { version: undefined, namespace: 'x', encryptedAt: 1 } }),
    ess: 'newest',
    ours: 'newest',
    verdict: 'usable',
  },
  {
    damage: 'no version and another key',
    newest: await rowOf({ plain: otherNekText, header: { version: undefined } }),
    ess: 'newest',
    ours: 'blocked',
    verdict: 'foreign unbound',
  },
  {
    damage: 'a tag of 4 bytes',
    newest: { ...row, encryptedKey: shortTag() },
    ess: 'newest',
    ours: 'blocked',
    verdict: 'foreign tag-length',
  },
  {
    damage: 'an IV of 16 bytes',
    newest: { ...row, encryptedKey: sealed({}, Buffer.from(nekText), randomBytes(16)) },
    ess: 'newest',
    ours: 'blocked',
    verdict: 'foreign iv-length',
  },
  {
    damage: 'a stray character',
    newest: { ...row, encryptedKey: withParts(jwe, { 2: `${iv.slice(0, 3)}!${iv.slice(3)}` }) },
    ess: 'newest',
    ours: 'blocked',
    verdict: 'foreign base64url',
  },
  {
    damage: 'padding',
    newest: { ...row, encryptedKey: `${jwe}==` },
    ess: 'newest',
    ours: 'blocked',
    verdict: 'foreign base64url',
  },
  {
    damage: 'another enc',
    newest: { ...row, encryptedKey: await cbc() },
    ess: 'newest',
    ours: 'blocked',
    verdict: 'foreign enc',
  },
  {
    damage: 'a compressed key',
    newest: { ...row, encryptedKey: sealed({ zip: 'DEF' }, deflateRawSync(nekText)) },
    ess: 'newest',
    ours: 'blocked',
    verdict: 'foreign header-member',
  },
  {
    damage: 'version 2',
    newest: await rowOf({ header: { version: 2 } }),
    ess: 'newest',
    ours: 'blocked',
    verdict: 'foreign version',
  },
])('a newest row with $damage', ({ newest, ess, ours, verdict }) => {
  test(`is ${verdict}`, () => {
    const judged = rowVerdict(newest, document);
    expect('reason' in judged ? `${judged.state} ${judged.reason}` : judged.state).toBe(verdict);
  });

  test(`makes ESS take ${ess}, and ours end at ${ours}`, () => {
    const selection = selectRow([older, newest], document);
    expect(selection.ok ? (selection.row === newest ? 'newest' : 'older') : selection.reason).toBe(ours);
    // Agreeing with ESS or stopping: there is no third.
    expect([ess, 'blocked']).toContain(ours);
    expect(selection.damaged.map(({ encryptedAt }) => encryptedAt)).toEqual(
      verdict === 'usable' ? [] : [newest.encryptedAt],
    );
    if (selection.ok) expect(selection.nek.thumbprint).toBe(nekKid);
  });
});

test('a status that ESS does not know stops the selection', () => {
  expect(selectRow([older, { ...row, status: 'RETIRED' }], document)).toMatchObject({
    ok: false,
    damaged: [{ encryptedAt, reason: 'status-unknown' }],
  });
});

test.each(['PENDING_REENCRYPTION', 'PENDING_ROTATION'])('a row with %s is not looked into', (status) => {
  expect(rowVerdict({ ...ghost, status }, document)).toEqual({ state: 'pending' });
});
