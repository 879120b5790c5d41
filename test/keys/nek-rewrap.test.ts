import { createHash } from 'node:crypto';
import { compactDecrypt } from 'jose';
import { describe, expect, test } from 'vitest';
import type { RewrapHow } from '../../src/keys/nek-rewrap.ts';
import { checkRewrapped, planRewrap } from '../../src/keys/nek-rewrap.ts';
import type { NewNek, StoredNek } from '../../src/keys/nek-row.ts';
import { essReads, loadedKeys } from './ess-model.ts';
import {
  bytesOf,
  createdAt,
  documentOf,
  documentWith,
  encodeSet,
  encryptedAt,
  fieldsOf,
  jwk,
  kids,
  nekKid,
  nekText,
  otherNekKid,
  otherNekText,
  rowOf,
} from './made.ts';

const document = documentWith(kids.second, kids.first);
const now = encryptedAt + 86_400_000;
const how: RewrapHow = { document, kid: kids.second, now };
const old = await rowOf();

function stored(row: NewNek, status = row.status): StoredNek {
  return { ...row, status, currentKid: nekKid };
}

function rewrapped(rows: readonly StoredNek[], over: Partial<RewrapHow> = {}) {
  const plan = planRewrap(rows, { ...how, ...over });
  if (plan.action !== 'rewrap') throw new Error(JSON.stringify(plan));
  return plan;
}

describe('planRewrap', () => {
  test('wraps the same key under the target, bound to the new row', async () => {
    const { row, proof } = rewrapped([old]);
    expect(row).toEqual({
      namespace: 'nvcf',
      kid: nekKid,
      encryptedAt: now,
      createdAt,
      encryptedByKid: kids.second,
      encryptedKey: row.encryptedKey,
      status: 'PENDING_REENCRYPTION',
    });
    const opened = await compactDecrypt(row.encryptedKey, bytesOf(`keys ${kids.second}`));
    expect(new TextDecoder().decode(opened.plaintext)).toBe(nekText);
    expect(opened.protectedHeader).toEqual({
      alg: 'dir',
      enc: 'A256GCM',
      kid: kids.second,
      version: 1,
      namespace: 'nvcf',
      createdAt,
      encryptedAt: now,
    });
    expect(proof).toEqual({
      thumbprint: nekKid,
      jweHash: createHash('sha256').update(row.encryptedKey).digest('hex'),
    });
  });

  test('is seen by ESS only when promoted', async () => {
    const { row } = rewrapped([old]);
    const keys = loadedKeys(document);
    expect((await essReads([old, stored(row)], keys))?.row.encryptedByKid).toBe(kids.first);
    expect(await essReads([old, stored(row, 'VALIDATED')], keys)).toMatchObject({
      text: nekText,
      row: { encryptedByKid: kids.second },
    });
  });

  test('goes beyond every row of the kid, whatever its status or order', async () => {
    const pending = await rowOf({ encryptedAt: now + 7, status: 'PENDING_ROTATION', mek: kids.first });
    expect(rewrapped([old, pending]).row.encryptedAt).toBe(now + 8);
    expect(rewrapped([pending, old]).row.encryptedAt).toBe(now + 8);
    expect(rewrapped([old], { now: encryptedAt - 3_000 }).row.encryptedAt).toBe(encryptedAt + 1);
    expect(rewrapped([old], { now: now + 0.7 }).row.encryptedAt).toBe(now);
  });

  test('leaves what is under the target', async () => {
    const current = await rowOf({ mek: kids.second });
    expect(planRewrap([current], how)).toEqual({ action: 'none', why: 'current' });
    // Also backwards, after a demotion.
    expect(planRewrap([current], { ...how, kid: kids.first })).toHaveProperty('action', 'rewrap');
  });

  test('gives a row from before ESS bound them its binding', async () => {
    const unbound = await rowOf({
      header: { version: undefined, namespace: undefined, createdAt: undefined },
    });
    const { row } = rewrapped([unbound]);
    expect((await essReads([stored(row, 'VALIDATED')], loadedKeys(document)))?.text).toBe(nekText);
  });

  test('finishes a verified row that waits', () => {
    const { row, proof } = rewrapped([old]);
    const plan = planRewrap([old, stored(row)], { ...how, now: now + 1000 });
    expect(plan).toEqual({ action: 'finish', row, proof });
    const promoted = stored(row, 'VALIDATED');
    expect(planRewrap([old, promoted], how)).toEqual({ action: 'none', why: 'current' });
  });

  test.each<[string, Partial<Parameters<typeof rowOf>[0]>]>([
    ['is under another MEK', { mek: kids.first }],
    ['has another created_at', { createdAt: kids.first }],
    ['is bound to another row', { header: { encryptedAt: 1 } }],
    ['holds another key', { plain: otherNekText }],
    ['is not bound', { header: { version: undefined } }],
    ['does not open', { key: bytesOf('x') }],
    ['is a rotation', { status: 'PENDING_ROTATION' }],
    ['is older than what ESS reads', { encryptedAt: encryptedAt - 1 }],
  ])('wraps anew when the row that waits %s', async (_, over) => {
    const waiting = { mek: kids.second, encryptedAt: encryptedAt + 5, status: 'PENDING_REENCRYPTION' };
    const row = rewrapped([old, await rowOf({ ...waiting, ...over })]).row;
    expect(row.encryptedAt).toBe(now);
  });

  test('stops at damage above the row that ESS reads, unless told to bury it', async () => {
    const damaged = await rowOf({ encryptedAt: encryptedAt + 5, header: { encryptedAt: 1 } });
    const anomaly = { action: 'anomaly', encryptedAt: encryptedAt + 5, reason: 'encrypted-at' };
    expect(planRewrap([old, damaged], how)).toEqual(anomaly);
    expect(rewrapped([old, damaged], { passOver: true }).row.encryptedAt).toBe(now);
    const current = await rowOf({ mek: kids.second });
    expect(planRewrap([current, damaged], how)).toEqual(anomaly);
    // A row that waits below the damage would not be read, so it is not finished.
    const waiting = await rowOf({
      mek: kids.second,
      encryptedAt: encryptedAt + 1,
      status: 'PENDING_REENCRYPTION',
    });
    expect(rewrapped([current, waiting, damaged], { passOver: true }).row.encryptedAt).toBe(now);
  });

  test('never passes over what ESS does not pass over', async () => {
    const fatal = { ...(await rowOf({ encryptedAt: encryptedAt + 5 })), status: null };
    expect(planRewrap([old, fatal], { ...how, passOver: true })).toEqual({
      action: 'anomaly',
      encryptedAt: encryptedAt + 5,
      reason: 'status-missing',
    });
  });

  test('does not look at damage below the row that ESS reads', async () => {
    const below = await rowOf({ encryptedAt: encryptedAt - 5, key: bytesOf('x') });
    expect(planRewrap([below, old], how)).toHaveProperty('action', 'rewrap');
  });

  test('writes nothing without a row to start from', async () => {
    const rotation = await rowOf({ status: 'PENDING_ROTATION' });
    expect(planRewrap([rotation], how)).toEqual({ action: 'none', why: 'only-pending' });
    const waiting = await rowOf({ status: 'PENDING_REENCRYPTION' });
    expect(planRewrap([waiting], how)).toMatchObject({ action: 'anomaly', reason: 'no-usable-row' });
    expect(planRewrap([], how)).toMatchObject({ action: 'anomaly', reason: 'no-usable-row' });
    const lost = await rowOf({ mek: kids.third });
    expect(planRewrap([lost], how)).toMatchObject({ action: 'anomaly', reason: 'no-usable-row' });
    const other = await rowOf({ kid: otherNekKid, plain: otherNekText });
    expect(planRewrap([old, other], how)).toMatchObject({ action: 'anomaly', reason: 'mixed-rows' });
  });

  test('writes nothing under a key that is not there, or from one with other bytes', () => {
    expect(planRewrap([old], { ...how, kid: kids.third })).toMatchObject({ reason: 'mek-missing' });
    const wrong = documentOf({
      ...fieldsOf([kids.second]),
      keys: encodeSet([jwk(kids.second, bytesOf('x')), jwk(kids.first, bytesOf('y'))]),
    });
    expect(planRewrap([old], { ...how, document: wrong })).toMatchObject({ action: 'anomaly' });
  });

  test('stops when the newest row is of the future', async () => {
    const micros = await rowOf({ encryptedAt: encryptedAt * 1000 });
    const ahead = { action: 'anomaly', encryptedAt: encryptedAt * 1000, reason: 'encrypted-at-ahead' };
    expect(planRewrap([old, micros], how)).toEqual(ahead);
    expect(planRewrap([old], { ...how, now: encryptedAt - 60_001 })).toHaveProperty('action', 'anomaly');
    expect(planRewrap([old], { ...how, now: encryptedAt - 60_000 })).toHaveProperty('action', 'rewrap');
  });

  test('gives out nothing for a time that is none', () => {
    for (const time of [Number.NaN, Number.POSITIVE_INFINITY])
      expect(planRewrap([old], { ...how, now: time })).toHaveProperty('action', 'anomaly');
  });
});

describe('checkRewrapped', () => {
  const { row, proof } = rewrapped([old]);
  const expected = { document, written: row, proof };

  test('is content with the row that was written, pending or promoted', () => {
    expect(checkRewrapped(stored(row), expected)).toEqual([]);
    const promoted = { ...row, status: 'VALIDATED' } as const;
    expect(checkRewrapped(stored(promoted), { ...expected, written: promoted })).toEqual([]);
  });

  test('names every difference', async () => {
    expect(checkRewrapped(undefined, expected)).toEqual(['The row is not there.']);
    expect(checkRewrapped(stored(row, 'VALIDATED'), expected)).toEqual(['status is not what was written.']);
    expect(checkRewrapped({ ...stored(row), encryptedAt: 1 }, expected)).toEqual([
      'encrypted_at is not what was written.',
      'ESS would not use the row: encrypted-at.',
    ]);
    expect(
      checkRewrapped({ ...stored(row), createdAt: null, encryptedByKid: null, encryptedKey: null }, expected),
    ).toEqual([
      'created_at is not what was written.',
      'encrypted_by_kid is not what was written.',
      'encrypted_key is not what was written.',
      'ESS would not use the row: column-missing.',
    ]);
    // Wrapped once more by somebody else: usable, but not ours.
    const again = await rowOf({ mek: kids.second, encryptedAt: now, status: 'PENDING_REENCRYPTION' });
    expect(checkRewrapped(again, expected)).toEqual(['encrypted_key is not what was written.']);
  });
});
