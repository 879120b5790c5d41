import { describe, expect, test } from 'vitest';
import { createCensus } from '../../src/keys/nek-census.ts';
import type { StoredNek } from '../../src/keys/nek-row.ts';
import {
  bytesOf,
  documentWith,
  encryptedAt,
  kids,
  nekKid,
  otherNekKid,
  otherNekText,
  rowOf,
} from './made.ts';

const document = documentWith(kids.second, kids.first);
const now = encryptedAt + 86_400_000;

function census(...partitions: readonly (readonly StoredNek[])[]) {
  const fold = createCensus({ document, kid: kids.second });
  for (const rows of partitions) fold.add(rows, now);
  return fold.result();
}

const current = await rowOf({ mek: kids.second, encryptedAt: encryptedAt + 10 });
const old = await rowOf({});
const other = { kid: otherNekKid, plain: otherNekText, currentKid: nekKid };

describe('a census', () => {
  test('of nothing is clean', () => {
    expect(census([])).toMatchObject({ namespaces: 0, keys: 0, rows: 0, clean: true });
  });

  test('counts namespaces, keys and rows, and what ESS would select', async () => {
    const counted = census(
      [old, current, await rowOf(other)],
      [await rowOf({ namespace: 'b', mek: kids.second })],
      [
        await rowOf({ namespace: 'c' }),
        await rowOf({
          namespace: 'c',
          mek: kids.second,
          encryptedAt: encryptedAt + 1,
          status: 'PENDING_REENCRYPTION',
        }),
      ],
    );
    expect(counted).toEqual({
      kid: kids.second,
      namespaces: 3,
      keys: 4,
      rows: 6,
      current: 2,
      remaining: 2,
      pending: 1,
      withoutCurrentKid: 0,
      byMek: [
        { kid: kids.first, rows: 3, selected: 2, pending: 0 },
        { kid: kids.second, rows: 3, selected: 2, pending: 1 },
      ],
      anomalies: [],
      anomalyCount: 0,
      unusable: 0,
      clean: false,
    });
  });

  test('is clean when every selected row is under the target, whatever lies below', async () => {
    const shadowed = [
      old,
      await rowOf({ mek: kids.third, encryptedAt: encryptedAt - 1 }),
      await rowOf({ key: bytesOf('x'), encryptedAt: encryptedAt - 2 }),
      { ...old, encryptedAt: encryptedAt - 3, status: null },
      await rowOf({ encryptedAt: encryptedAt - 4, status: 'PENDING_REENCRYPTION' }),
    ];
    expect(census([...shadowed, current])).toMatchObject({ clean: true, current: 1, pending: 0, rows: 6 });
  });

  test('reports damage above what ESS selects', async () => {
    const damaged = await rowOf({ encryptedAt: encryptedAt + 20, header: { namespace: 'x' } });
    expect(census([current, damaged])).toMatchObject({
      current: 1,
      unusable: 0,
      anomalyCount: 1,
      anomalies: [{ namespace: 'nvcf', kid: nekKid, encryptedAt: encryptedAt + 20, reason: 'namespace' }],
      clean: false,
    });
  });

  test('reports a key that ESS fails or that nobody can vouch for', async () => {
    const fatal = { ...(await rowOf({ encryptedAt: encryptedAt + 20 })), status: null };
    expect(census([current, fatal])).toMatchObject({
      current: 0,
      unusable: 1,
      anomalies: [{ encryptedAt: encryptedAt + 20, reason: 'status-missing' }],
      anomalyCount: 1,
      clean: false,
    });
  });

  test('reports a key whose MEKs are all gone, and the key as a whole', async () => {
    const lost = await rowOf({ mek: kids.third });
    expect(census([lost])).toMatchObject({
      unusable: 1,
      byMek: [{ kid: kids.third, rows: 1, selected: 0, pending: 0 }],
      anomalies: [
        { encryptedAt, reason: 'mek-missing' },
        { encryptedAt: undefined, reason: 'no-usable-row' },
      ],
      anomalyCount: 2,
    });
  });

  test('lets a rotation wait, unless the namespace needs it', async () => {
    const rotation = await rowOf({ ...other, mek: kids.second, status: 'PENDING_ROTATION' });
    expect(census([current, rotation])).toMatchObject({ pending: 1, unusable: 0, clean: true });
    expect(census([{ ...rotation, currentKid: otherNekKid }])).toMatchObject({
      unusable: 1,
      anomalies: [{ kid: otherNekKid, encryptedAt: undefined, reason: 'current-kid-unusable' }],
      clean: false,
    });
  });

  test('reports a current key without a row, and counts namespaces without one', async () => {
    expect(census([{ ...current, currentKid: otherNekKid }])).toMatchObject({
      anomalies: [{ namespace: 'nvcf', kid: otherNekKid, reason: 'current-kid-unusable' }],
      unusable: 1,
    });
    expect(census([{ ...current, currentKid: null }])).toMatchObject({ withoutCurrentKid: 1, clean: true });
    const bare = {
      ...current,
      kid: '',
      createdAt: null,
      encryptedByKid: null,
      encryptedKey: null,
      status: null,
    };
    expect(census([bare])).toMatchObject({ namespaces: 1, keys: 0, rows: 0, anomalyCount: 1 });
  });

  test('reports a newest row of the future, whatever its status', async () => {
    const micros = await rowOf({ mek: kids.second, encryptedAt: encryptedAt * 1000 });
    expect(census([micros])).toMatchObject({
      current: 1,
      anomalies: [{ encryptedAt: encryptedAt * 1000, reason: 'encrypted-at-ahead' }],
    });
    const pending = { ...micros, status: 'PENDING_REENCRYPTION' };
    expect(census([current, pending])).toMatchObject({ current: 1, anomalyCount: 1, clean: false });
    const soon = await rowOf({ mek: kids.second, encryptedAt: now + 60_000 });
    expect(census([soon])).toMatchObject({ anomalyCount: 0, clean: true });
  });

  test('keeps the first 1,000 anomalies and counts the others', async () => {
    const rows = await Promise.all(
      Array.from({ length: 1100 }, (_, index) =>
        rowOf({ mek: kids.third, encryptedAt: encryptedAt - index, currentKid: null }),
      ),
    );
    const counted = census(rows);
    expect(counted.anomalies).toHaveLength(1000);
    expect(counted.anomalyCount).toBe(1101);
  });
});
