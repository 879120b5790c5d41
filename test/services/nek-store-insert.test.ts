import { describe, expect, test } from 'vitest';
import type { NewNekRow } from '../../src/services/nek-store.ts';
import { insertProblem } from '../../src/services/nek-store-insert.ts';
import { row } from '../fakes/nek-store-rig.ts';

const damaged = (change: object) => ({ ...row, kid: 'other', ...change }) as NewNekRow;

describe('a batch', () => {
  test('of complete rows of one partition is written', () => {
    const rows = Array.from({ length: 50 }, (_, index) => ({ ...row, encryptedAt: row.encryptedAt + index }));
    expect(insertProblem(rows, undefined)).toBeUndefined();
    expect(insertProblem(rows, 1_772_600_767_089_001)).toBeUndefined();
    expect(insertProblem([], undefined)).toBeUndefined();
  });

  test.each([
    ['status', { status: null }],
    ['key', { encryptedKey: undefined }],
    ['kid of the key it is encrypted with', { encryptedByKid: null }],
    ['whole milliseconds', { encryptedAt: 1.5 }],
    ['milliseconds that are a number', { encryptedAt: Number.NaN }],
    ['a time UUID', { createdAt: '8b1a9d20-17f1-41f1-8c4a-0123456789ab' }],
    ['a UUID', { createdAt: 'yesterday' }],
  ])('with a row that lacks %s is not', (_, change) => {
    expect(insertProblem([row, damaged(change)], undefined)).toMatch(/^row 2 lacks a value/u);
  });

  test.each([0, -1, 1.5, Number.NaN, 2 ** 53])('with the write timestamp %d is not', (timestamp) => {
    expect(insertProblem([row], timestamp)).toMatch(/write timestamp/u);
  });

  test('over two partitions, of 51 rows or with one key twice is not', () => {
    expect(insertProblem([row, { ...row, namespace: 'other' }], undefined)).toMatch(
      /more than one partition/u,
    );
    expect(insertProblem([row, { ...row, status: 'LATE' }], undefined)).toMatch(/twice/u);
    const many = Array.from({ length: 51 }, (_, index) => ({ ...row, kid: `kid-${index}` }));
    expect(insertProblem(many, undefined)).toMatch(/at most 50/u);
  });
});
