import fc from 'fast-check';
import { calculateJwkThumbprint } from 'jose';
import { describe, expect, test } from 'vitest';
import { newKid } from '../../src/keys/kid.ts';
import { activateKey, appendKey, continuity } from '../../src/keys/mek-change.ts';
import type { MekDocument } from '../../src/keys/mek-document.ts';
import { createCensus } from '../../src/keys/nek-census.ts';
import { checkRewrapped, planRewrap } from '../../src/keys/nek-rewrap.ts';
import type { StoredNek } from '../../src/keys/nek-row.ts';
import { essReads, loadedKeys } from './ess-model.ts';
import { bytesOf, createdAt, documentWith, kids, kidTimes, seal } from './made.ts';

/*
 * A table and ESS in memory, and our protocol over it, interleaved in any order with ESS's own creations, re-encryptions, promotions
 * and rotations, MEK rotations and demotions, crashes between our two inserts, inserts that arrive twice, and clocks up to a day off.
 */

interface World {
  document: MekDocument;
  readonly first: MekDocument;
  /** By "namespace kid encrypted_at": inserting is overwriting, as in Cassandra. */
  readonly table: Map<string, StoredNek>;
  /** NEK text by "namespace kid", of every key that ESS ever could read. */
  readonly truth: Map<string, string>;
  time: number;
}

type Step =
  | {
      readonly do: 'create' | 'reencrypt' | 'promote' | 'rotateNek' | 'rotateMek' | 'demote';
      readonly at: number;
    }
  | {
      readonly do: 'rewrap';
      readonly at: number;
      readonly skew: number;
      readonly crash: 'never' | 'before' | 'between';
      readonly twice: boolean;
    };

const day = 86_400_000;
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constantFrom('create' as const, 'reencrypt', 'promote', 'rotateNek', 'rotateMek', 'demote'),
      at: fc.nat({ max: 20 }),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('rewrap' as const),
      at: fc.nat({ max: 20 }),
      skew: fc.oneof(
        { weight: 4, arbitrary: fc.constant(0) },
        { weight: 1, arbitrary: fc.integer({ min: -day, max: day }) },
      ),
      crash: fc.constantFrom('never', 'never', 'before', 'between'),
      twice: fc.boolean(),
    }),
  },
);

function insert({ table }: World, row: Omit<StoredNek, 'currentKid'>): void {
  table.set(`${row.namespace} ${row.kid} ${row.encryptedAt}`, { ...row, currentKid: null });
}

function keysOf({ table }: World): readonly (readonly StoredNek[])[] {
  const groups = new Map<string, StoredNek[]>();
  for (const row of table.values()) {
    const key = `${row.namespace} ${row.kid}`;
    groups.set(key, [...(groups.get(key) ?? []), row]);
  }
  return [...groups.values()];
}

function pick<T>(items: readonly T[], at: number): T | undefined {
  return items[at % Math.max(items.length, 1)];
}

async function essWrites(
  world: World,
  namespace: string,
  text: string,
  status: string,
  born = createdAt,
): Promise<void> {
  const kid = await calculateJwkThumbprint({ kty: 'oct', k: text });
  const mek = world.document.currentKid;
  const header = { kid: mek, version: 1, namespace, createdAt: born, encryptedAt: world.time };
  const key = loadedKeys(world.document).get(mek) ?? bytesOf('none');
  const encryptedKey = await seal(text, key, header);
  insert(world, {
    namespace,
    kid,
    encryptedAt: world.time,
    createdAt: born,
    encryptedByKid: mek,
    encryptedKey,
    status,
  });
}

function rewrap(world: World, rows: readonly StoredNek[], how: Extract<Step, { do: 'rewrap' }>): boolean {
  const now = world.time + how.skew;
  const plan = planRewrap(rows, { document: world.document, kid: world.document.currentKid, now });
  if (plan.action !== 'rewrap' && plan.action !== 'finish') return false;
  const { row, proof } = plan;
  for (const other of rows)
    if (plan.action === 'rewrap') expect(row.encryptedAt).toBeGreaterThan(other.encryptedAt);
  if (how.crash === 'before') return false;
  insert(world, row);
  if (how.crash === 'between') return true;
  const key = `${row.namespace} ${row.kid} ${row.encryptedAt}`;
  expect(checkRewrapped(world.table.get(key), { document: world.document, written: row, proof })).toEqual([]);
  const promoted = { ...row, status: 'VALIDATED' } as const;
  insert(world, promoted);
  if (how.twice) insert(world, promoted);
  expect(
    checkRewrapped(world.table.get(key), { document: world.document, written: promoted, proof }),
  ).toEqual([]);
  return true;
}

async function perform(world: World, at: Step): Promise<void> {
  world.time += 1000;
  const rows = pick(keysOf(world), at.at);
  const pending = rows?.filter(({ status }) => status?.startsWith('PENDING'));
  switch (at.do) {
    case 'create':
      return essWrites(
        world,
        `ns${at.at % 3}`,
        bytesOf(`nek ${world.time}`).toString('base64url'),
        'CREATION_VALIDATED',
      );
    case 'rotateNek':
      return essWrites(
        world,
        `ns${at.at % 3}`,
        bytesOf(`nek ${world.time}`).toString('base64url'),
        'PENDING_ROTATION',
      );
    case 'reencrypt': {
      const read = rows === undefined ? undefined : await essReads(rows, loadedKeys(world.document));
      if (read !== undefined) await essWrites(world, read.row.namespace, read.text, 'PENDING_REENCRYPTION');
      return;
    }
    case 'promote': {
      const row = pick(pending ?? [], at.at);
      if (row !== undefined) insert(world, { ...row, status: 'VALIDATED' });
      return;
    }
    case 'rotateMek': {
      const kid = newKid({ now: world.time, others: world.document.keys.map((key) => key.kid) });
      const appended = kid.ok ? appendKey(world.document, { kid: kid.kid }) : kid;
      const active = appended.ok ? activateKey(appended.document, kid.ok ? kid.kid : '') : appended;
      if (active.ok) world.document = active.document;
      return;
    }
    case 'demote': {
      const active = activateKey(world.document, pick(world.document.keys, at.at)?.kid ?? '');
      if (active.ok) world.document = active.document;
      return;
    }
    case 'rewrap':
      if (rows !== undefined) rewrap(world, rows, at);
  }
}

/** Every key that ESS could once read, it reads now, and reads the same. */
async function checkReadable(world: World): Promise<void> {
  const keys = loadedKeys(world.document);
  for (const rows of keysOf(world)) {
    const name = `${rows[0]?.namespace} ${rows[0]?.kid}`;
    const read = await essReads(rows, keys);
    const known = world.truth.get(name);
    if (known !== undefined) expect(read?.text, name).toBe(known);
    else if (read !== undefined) world.truth.set(name, read.text);
  }
}

function census(world: World) {
  const fold = createCensus({ document: world.document, kid: world.document.currentKid });
  const namespaces = new Set([...world.table.values()].map(({ namespace }) => namespace));
  for (const name of namespaces)
    fold.add(
      [...world.table.values()].filter(({ namespace }) => namespace === name),
      world.time,
    );
  return fold.result();
}

function newWorld(): World {
  const document = documentWith(kids.first);
  return { document, first: document, table: new Map(), truth: new Map(), time: kidTimes.first + day };
}

describe('any interleaving with ESS', () => {
  test('leaves every key readable, loses no row and no MEK, and ends clean', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40, size: 'max' }), async (steps) => {
        const world = newWorld();
        const [first] = [world.document];
        for (const at of steps) {
          const before = new Map(world.table);
          await perform(world, at);
          for (const [key, row] of before)
            expect({ ...world.table.get(key), status: '' }).toEqual({ ...row, status: '' });
          await checkReadable(world);
        }
        expect(continuity(first, world.document)).toEqual([]);
        // A day later no clock is ahead of any row any more.
        world.time += day;
        const sweep = { do: 'rewrap', at: 0, skew: 0, crash: 'never', twice: false } as const;
        for (const rows of keysOf(world)) rewrap(world, rows, sweep);
        await checkReadable(world);
        expect(census(world)).toMatchObject({ remaining: 0, unusable: 0, anomalyCount: 0, clean: true });
        const selected = await Promise.all(
          keysOf(world).map((rows) => essReads(rows, loadedKeys(world.document))),
        );
        for (const read of selected)
          if (read !== undefined) expect(read.row.encryptedByKid).toBe(world.document.currentKid);
        const writes = keysOf(world).filter((rows) => rewrap(world, rows, sweep));
        expect(writes).toEqual([]);
      }),
      { numRuns: 120 },
    );
  });

  test('counts what ESS would read', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 25, size: 'max' }), async (steps) => {
        const world = newWorld();
        for (const at of steps) await perform(world, at);
        const reads = await Promise.all(
          keysOf(world).map((rows) => essReads(rows, loadedKeys(world.document))),
        );
        const found = reads.filter((read) => read !== undefined);
        const counted = census(world);
        expect(counted.rows).toBe(world.table.size);
        expect(counted.keys).toBe(keysOf(world).length);
        expect(counted.current + counted.remaining).toBe(found.length);
        expect(counted.current).toBe(
          found.filter(({ row }) => row.encryptedByKid === world.document.currentKid).length,
        );
      }),
      { numRuns: 60 },
    );
  });
});
