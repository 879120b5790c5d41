import { describe, expect, test } from 'vitest';
import { nameHash, Random } from '../../src/sandbox/random.ts';

describe('seeded randomness', () => {
  test('repeats with the seed and differs with another', () => {
    const draw = (seed: number) => {
      const random = new Random(seed);
      return [random.uuid(), random.suffix(5), random.integer(1, 1000), random.hex(16)];
    };
    expect(draw(42)).toEqual(draw(42));
    expect(draw(42)).not.toEqual(draw(43));
    expect(new Random(5).uuid()).not.toBe(new Random(5 + 2 ** 40).uuid());
  });

  test('makes version 4 UUIDs, all different', () => {
    const random = new Random(1);
    const uuids = Array.from({ length: 2000 }, () => random.uuid());
    expect(new Set(uuids).size).toBe(2000);
    for (const uuid of uuids)
      expect(uuid).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  });

  test('integers stay in their range and reach both ends', () => {
    const random = new Random(9);
    const drawn = Array.from({ length: 500 }, () => random.integer(3, 6));
    expect(new Set(drawn)).toEqual(new Set([3, 4, 5, 6]));
  });

  test('hashes are names', () => {
    expect(nameHash('a')).toMatch(/^[bcdfghjklmnpqrstvwxz2456789]{5,10}$/);
    expect(nameHash('a')).not.toBe(nameHash('b'));
  });
});
