import { describe, expect, test } from 'vitest';
import { kidOf } from '../../src/services/nek-store-jwe.ts';
import { copiesIn, hasQuorum } from '../../src/services/nek-store-quorum.ts';
import { splitRing } from '../../src/services/nek-store-ring.ts';
import { type StoredColumn, schemaProblems } from '../../src/services/nek-store-schema.ts';

describe('copies', () => {
  test.each([
    ['org.apache.cassandra.locator.NetworkTopologyStrategy', { ncp: '3', other: '5' }, 3],
    ['NetworkTopologyStrategy', { other: '3' }, 0],
    ['org.apache.cassandra.locator.SimpleStrategy', { replication_factor: '2' }, 2],
    ['org.apache.cassandra.locator.LocalStrategy', {}, 0],
    ['org.apache.cassandra.locator.NetworkTopologyStrategy', { ncp: '3/1' }, 0],
    ['org.apache.cassandra.locator.NetworkTopologyStrategy', { ncp: 'many' }, 0],
  ])('of %s %o are counted in the datacenter', (strategy, settings, copies) => {
    expect(copiesIn('ncp', { class: strategy, ...settings })).toBe(copies);
  });
});

describe('a quorum', () => {
  test.each([
    { copies: 3, nodes: 3, up: 3, holds: true },
    { copies: 3, nodes: 3, up: 2, holds: true },
    { copies: 3, nodes: 3, up: 1, holds: false },
    { copies: 3, nodes: 5, up: 4, holds: true },
    // The two that are down may hold two copies of the same row.
    { copies: 3, nodes: 5, up: 3, holds: false },
    { copies: 5, nodes: 5, up: 3, holds: true },
    { copies: 2, nodes: 3, up: 2, holds: false },
    { copies: 2, nodes: 3, up: 3, holds: true },
    { copies: 1, nodes: 3, up: 3, holds: true },
    { copies: 1, nodes: 3, up: 2, holds: false },
    // More copies wanted than there are nodes.
    { copies: 3, nodes: 2, up: 2, holds: true },
    { copies: 3, nodes: 1, up: 1, holds: false },
    { copies: 0, nodes: 3, up: 3, holds: false },
  ])('with $copies copies and $up of $nodes nodes up: $holds', ({ holds, ...ring }) => {
    expect(hasQuorum(ring)).toBe(holds);
  });
});

describe('the token ring', () => {
  test.each([1, 2, 3, 32, 1000])('in %i parts has no gap, no overlap and no end missing', (parts) => {
    const ranges = splitRing(parts);
    expect(ranges).toHaveLength(parts);
    expect(ranges[0]?.after).toBe(-9223372036854775808n);
    expect(ranges.at(-1)?.upTo).toBe(9223372036854775807n);
    for (const [index, { after, upTo }] of ranges.entries()) {
      expect(upTo > after).toBe(true);
      if (index > 0) expect(after).toBe(ranges[index - 1]?.upTo);
    }
    const sizes = ranges.map(({ after, upTo }) => upTo - after);
    const [smallest, largest] = [
      sizes.reduce((a, b) => (a < b ? a : b)),
      sizes.reduce((a, b) => (a > b ? a : b)),
    ];
    expect(largest - smallest).toBeLessThanOrEqual(1n);
  });
});

describe('the kid of a JWE', () => {
  const header = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
  test.each([
    ['dir', `${header({ alg: 'dir', kid: 'k-1' })}..iv.text.tag`, 'k-1'],
    ['a wrapped key', `${header({ kid: 'k-2', alg: 'A256GCMKW' })}.key.iv.text.tag`, 'k-2'],
    ['an empty one', `${header({ kid: '' })}..a.b.c`, ''],
    ['no kid', `${header({ alg: 'dir' })}..a.b.c`, null],
    ['a number', `${header({ kid: 1 })}..a.b.c`, null],
    ['a list', `${header(['kid'])}..a.b.c`, null],
    ['null', `${header(null)}..a.b.c`, null],
    ['four parts', `${header({ kid: 'k' })}.a.b.c`, null],
    ['six parts', `${header({ kid: 'k' })}..a.b.c.d`, null],
    ['no base64url', `${header({ kid: 'k' })}=..a.b.c`, null],
    ['no JSON', 'AAAA..a.b.c', null],
    ['bytes', Buffer.from('x'), null],
  ])('with %s', (_, value, kid) => {
    expect(kidOf(value)).toBe(kid);
  });
});

describe('the schema', () => {
  const place = 'ess_api.nek';
  const column = (name: string, more: Partial<StoredColumn> = {}): StoredColumn => ({
    name,
    type: 'text',
    kind: 'regular',
    position: -1,
    order: 'none',
    ...more,
  });
  const columns = [
    column('namespace', { kind: 'partition_key', position: 0 }),
    column('kid', { kind: 'clustering', position: 0, order: 'asc' }),
    column('encrypted_at', { kind: 'clustering', position: 1, order: 'desc', type: 'timestamp' }),
    column('created_at', { type: 'timeuuid' }),
    column('current_kid', { kind: 'static' }),
    column('encrypted_by_kid'),
    column('encrypted_key'),
    column('status'),
  ];
  const problems = (changed: readonly StoredColumn[], defaultTimeToLive = 0) =>
    schemaProblems(place, { defaultTimeToLive, columns: changed });
  const without = (name: string) => columns.filter((each) => each.name !== name);

  test('as ESS creates it has no problem, whatever the order of its columns', () => {
    expect(problems(columns)).toEqual([]);
    expect(problems([...columns].reverse())).toEqual([]);
  });

  test('without the table has one', () => {
    expect(schemaProblems(place, undefined)).toEqual(['the table ess_api.nek does not exist']);
  });

  test.each([
    ['a missing column', without('status'), ['the column status of ess_api.nek is missing']],
    [
      'another type',
      [
        ...without('encrypted_at'),
        column('encrypted_at', { kind: 'clustering', position: 1, order: 'desc', type: 'bigint' }),
      ],
      [
        'the column encrypted_at of ess_api.nek is a bigint in the clustering key at position 1, descending; ESS creates it as a timestamp in the clustering key at position 1, descending',
      ],
    ],
    [
      'another order',
      [...without('kid'), column('kid', { kind: 'clustering', position: 0, order: 'desc' })],
      [
        'the column kid of ess_api.nek is a text in the clustering key at position 0, descending; ESS creates it as a text in the clustering key at position 0, ascending',
      ],
    ],
    [
      'a static column that is none',
      [...without('current_kid'), column('current_kid')],
      ['the column current_kid of ess_api.nek is a regular text; ESS creates it as a static text'],
    ],
    [
      'a column more',
      [...columns, column('nonce', { type: 'blob' })],
      [
        'ess_api.nek has a column nonce (blob) that ESS does not create and that rows written here would lack',
      ],
    ],
  ])('with %s is told in a sentence', (_, changed, expected) => {
    expect(problems(changed)).toEqual(expected);
  });

  test('with a time to live is told to lose its rows', () => {
    expect(problems(columns, 86_400)).toEqual([
      'ess_api.nek has default_time_to_live 86400: rows would vanish after that many seconds',
    ]);
  });
});
