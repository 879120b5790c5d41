import { describe, expect, test } from 'vitest';
import { decisive } from '../../../src/steps/nek/verify-rule.ts';
import { createSample } from '../../../src/steps/nek/verify-sample.ts';
import { nekOf, nekRow, sha256 } from '../../fakes/nek-rows.ts';

function sampled(size: number, seeds: readonly string[]) {
  const sample = createSample(size, 'a seed');
  for (const seed of seeds) sample.add([nekRow({ seed })]);
  return { sample, groups: [...sample.chosen(7)] };
}

describe('the sample of nek.verify', () => {
  test('is of the keys whose hash is smallest, whatever comes first, and holds their rows as they were', () => {
    const seeds = Array.from({ length: 500 }, (_, index) => `key ${index}`);
    const rank = (seed: string) => {
      const { namespace, kid } = nekRow({ seed });
      return sha256(`a seed\0${namespace}\0${kid}`).toString('base64url');
    };
    const smallest = seeds.toSorted((one, other) => (rank(one) < rank(other) ? -1 : 1)).slice(0, 20);
    for (const order of [seeds, seeds.toReversed()]) {
      const { sample, groups } = sampled(20, order);
      expect([sample.total, sample.size]).toEqual([500, 20]);
      expect(groups.map((group) => group.length)).toEqual([7, 7, 6]);
      const kids = groups.flat().map(([row]) => row?.kid);
      expect(kids.toSorted()).toEqual(smallest.map((seed) => nekOf(seed).kid).toSorted());
    }
  });

  test('is everything where there is no more, down to dates that cannot be told', () => {
    const odd = nekRow({ columns: { encryptedAt: Number.NaN, createdAt: null } });
    const sample = createSample(20, 'a seed');
    sample.add([odd]);
    expect([...sample.chosen(7)]).toEqual([[[odd]]]);
    expect(sample.size).toBe(1);
  });

  test('needs of a key the newest row that does not wait, and those above it', () => {
    const at = (encryptedAt: number, status: string) => nekRow({ encryptedAt, status });
    const rows = [
      at(1, 'VALIDATED'),
      at(3, 'PENDING_REENCRYPTION'),
      at(2, 'CREATION_VALIDATED'),
      at(4, 'PENDING_ROTATION'),
    ];
    expect(decisive(rows).map(({ encryptedAt }) => encryptedAt)).toEqual([4, 3, 2]);
    expect(decisive(rows.slice(1, 2))).toHaveLength(1);
  });
});
