import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { newKid, uuidV1Time } from '../../src/keys/kid.ts';

describe('uuidV1Time', () => {
  // The first is RFC 9562 §A.1 in lower case; the others were computed with Python's uuid module.
  test.each([
    ['c232ab00-9414-11ec-b3c8-9f6bdeced846', Date.UTC(2022, 1, 22, 19, 22, 22)],
    ['13814000-1dd2-11b2-9234-0300000000ab', 0],
    ['04b00e1f-833b-11ee-9234-0300000000ab', 1700000000001],
    ['b5a6c000-dd56-1243-9234-0300000000ab', 4102444800000],
    ['00000000-0000-1000-8000-000000000000', -12219292800000],
    ['ffffffff-ffff-1fff-bfff-ffffffffffff', 103072857660684],
  ])('of %s is %i', (kid, time) => {
    expect(uuidV1Time(kid)).toBe(time);
  });

  test.each([
    'C232AB00-9414-11EC-B3C8-9F6BDECED846',
    'c232ab00-9414-41ec-b3c8-9f6bdeced846',
    'c232ab00-9414-11ec-c3c8-9f6bdeced846',
    'c232ab00941411ecb3c89f6bdeced846',
    '{c232ab00-9414-11ec-b3c8-9f6bdeced846}',
    'c232ab00-9414-11ec-b3c8-9f6bdeced846\n',
    ' c232ab00-9414-11ec-b3c8-9f6bdeced846',
    '1-1-1-1-1',
    '',
  ])('knows none for %j', (kid) => {
    expect(uuidV1Time(kid)).toBeUndefined();
  });
});

describe('newKid', () => {
  const now = 1795000000000;

  function kidAt(given: { readonly now: number; readonly others: readonly string[] }): string {
    const made = newKid(given);
    if (!made.ok) throw new Error(made.problem);
    return made.kid;
  }

  test('carries the time of the server', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 4102444800000 }), (time) => {
        expect(uuidV1Time(kidAt({ now: time, others: [] }))).toBe(time);
      }),
    );
  });

  test('is newer than every other, and at most 60 s ahead', () => {
    const other = fc.integer({ min: now - 100_000, max: now + 100_000 }).map((time) => ({
      time,
      kid: kidAt({ now: time, others: [] }),
    }));
    fc.assert(
      fc.property(fc.array(other), (others) => {
        const made = newKid({ now, others: others.map(({ kid }) => kid) });
        const newest = Math.max(...others.map(({ time }) => time));
        expect(made.ok).toBe(newest + 1 <= now + 60_000);
        if (made.ok) expect(uuidV1Time(made.kid)).toBe(Math.max(now, newest + 1));
      }),
    );
  });

  test('reaches 60 s ahead and no further', () => {
    const at = (time: number) => newKid({ now, others: [kidAt({ now: time, others: [] })] });
    expect(at(now + 59_999)).toHaveProperty('ok', true);
    expect(at(now + 60_000)).toHaveProperty('ok', false);
  });

  test('says which kid is in the future', () => {
    const future = kidAt({ now: now + 3_600_000, others: [] });
    expect(newKid({ now, others: [future] })).toEqual({
      ok: false,
      problem: `The kid ${future} is from 3600 s in the future by the server's clock: a newer kid would be more than 60 s ahead.`,
    });
  });

  test('has a random node with the multicast bit and a random clock sequence, and never repeats', () => {
    const made = Array.from({ length: 2000 }, () => kidAt({ now, others: [] }));
    expect(new Set(made).size).toBe(2000);
    const nodes = made.map((kid) => kid.slice(24));
    expect(nodes.every((node) => (Number.parseInt(node.slice(0, 2), 16) & 1) === 1)).toBe(true);
    expect(new Set(nodes).size).toBe(2000);
    expect(new Set(made.map((kid) => kid.slice(19, 23))).size).toBeGreaterThan(1000);
  });

  test.each([Number.NaN, -1, Number.POSITIVE_INFINITY, 2 ** 50])('refuses the time %s', (time) => {
    expect(newKid({ now: time, others: [] }).ok).toBe(false);
  });
});
