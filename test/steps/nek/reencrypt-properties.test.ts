import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { StepError } from '../../../src/engine/step-type.ts';
import type { NekRow } from '../../../src/services/nek-store.ts';
import { reencrypt } from '../../../src/steps/nek/reencrypt.ts';
import { verify } from '../../../src/steps/nek/verify.ts';
import { MemoryNekStore } from '../../fakes/memory-nek-store.ts';
import { captured, documentAt, mekFields, type NekRig, nekRig, place } from '../../fakes/nek-rig.ts';
import { mekBytes, nekOf, nekRow, newMek, oldMek, opened } from '../../fakes/nek-rows.ts';
import { byKey, type EssAct, EssModel, selected, Watch } from './ess-model.ts';
import { type Blow, blow, Crash, StruckStore } from './struck-store.ts';

const names = ['a', 'b', 'c', 'd', 'e'];
const start = Date.parse('2027-01-01T00:00:00Z');
const day = 86_400_000_000;

interface Key {
  readonly namespace: string;
  readonly extra: number;
  readonly mek: string;
  /** A row that an earlier attempt left without promotion. */
  readonly pending: boolean;
}

const key: fc.Arbitrary<Key> = fc.record({
  namespace: fc.constantFrom(...names),
  extra: fc.integer({ min: 0, max: 3 }),
  mek: fc.constantFrom(oldMek, oldMek, newMek),
  pending: fc.boolean(),
});
const mek = fc.constantFrom(oldMek, newMek);
const essAct: fc.Arbitrary<EssAct> = fc.oneof(
  fc.record({ act: fc.constant('create' as const), namespace: fc.constantFrom(...names, 'f', 'g'), mek }),
  fc.record({ act: fc.constant('rotate' as const), namespace: fc.constantFrom(...names), mek }),
  fc.record({ act: fc.constant('reencrypt' as const), namespace: fc.constantFrom(...names) }),
  fc.constant({ act: 'promote' as const }),
);

function fill(store: MemoryNekStore, keys: readonly Key[]): void {
  for (const { namespace, extra, mek: by, pending } of keys) {
    const seed = extra === 0 ? namespace : `${namespace} ${extra}`;
    const currentKid = nekOf(namespace).kid;
    // The current key of a namespace always has a row.
    store.put(nekRow({ namespace, seed: namespace, currentKid }));
    if (seed !== namespace) store.put(nekRow({ namespace, seed, mek: by, currentKid }));
    const waits = { mek: newMek, status: 'PENDING_REENCRYPTION', encryptedAt: start + 7 };
    if (pending) store.put(nekRow({ namespace, seed, currentKid, ...waits }));
  }
}

/** A run of ours that dies, resumes and is struck until its blows are used up. Gives how often it began. */
async function persist(
  rig: NekRig,
  how: {
    readonly turn: (call: string) => Promise<unknown>;
    readonly blows: Blow[];
    readonly late: (() => void)[];
  },
): Promise<void> {
  let before: Awaited<ReturnType<typeof reencrypt.capture>> | undefined;
  for (let session = 0; session < 60; session++) {
    const process = new StruckStore(rig.store, how);
    const ctx = { ...rig.ctx, services: { ...rig.ctx.services, nekStore: process } };
    const life = async () => {
      before ??= (await captured(reencrypt, place, ctx)).before;
      const resumed = session === 0 ? {} : { resumed: { rewrapped: 0, finished: 0 } };
      await reencrypt.run({ ...place, inFlight: 3, batch: 2 }, { ...ctx, before, ...resumed });
    };
    try {
      await Promise.race([life(), process.death]);
      return;
    } catch (error) {
      const passes = error instanceof Crash || (error instanceof StepError && error.retryable);
      if (!passes) throw error;
    }
  }
  throw new Error('no end after 60 sessions');
}

describe('whatever strikes a re-encryption', () => {
  test('every key can be read at all times, nothing of others is touched, and in the end all is done', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.scheduler(),
        fc.array(key, { maxLength: 6 }),
        fc.array(essAct, { maxLength: 6 }),
        fc.array(blow, { maxLength: 40 }),
        fc.array(fc.integer({ min: -day, max: day }), { minLength: 1, maxLength: 5 }),
        async (scheduler, keys, acts, blows, skews) => {
          let tick = 0;
          const store = new MemoryNekStore(
            () => (start + 1000 * ++tick) * 1000 + (skews[tick % skews.length] ?? 0),
          );
          fill(store, keys);
          store.inserted.length = 0;
          // Two runs with folders of their own, on one clock.
          const one = nekRig(store);
          const other = nekRig(store, { clock: one.time });
          const ess = new EssModel(store, () => one.time.now());
          const watch = new Watch(store);
          const late: (() => void)[] = [];
          const turn = (call: string) => scheduler.schedule(Promise.resolve(), call);
          const shared = { turn, blows: [...blows], late };
          const essLife = async () => {
            for (const act of acts) {
              await turn(act.act);
              ess.do(act);
              watch.look();
              if (act.act === 'promote') late.shift()?.();
            }
          };
          await scheduler.waitFor(Promise.all([persist(one, shared), persist(other, shared), essLife()]));

          // What was still on its way arrives, and what ESS still makes under the old key is taken along.
          for (const write of late) write();
          const calm = { turn: async () => undefined, blows: [], late: [] };
          await persist(nekRig(store, { clock: one.time }), calm);
          for (const [id, rows] of byKey(store.all())) {
            const row = selected(rows);
            const waits = rows.every(({ status }) => status === 'PENDING_ROTATION');
            expect(waits || row?.encryptedByKid === newMek, `${id} is not done`).toBe(true);
          }
          const done = store.all();
          await persist(nekRig(store, { clock: one.time }), calm);
          expect(store.all()).toEqual(done);
        },
      ),
      { numRuns: 150 },
    );
  });
});

/** One thing that is not as it was written. */
type Damage = (row: NekRow, other: NekRow) => NekRow;

const damage: fc.Arbitrary<Damage> = fc.oneof(
  fc.record({ at: fc.nat(), bit: fc.integer({ min: 0, max: 6 }) }).map(({ at, bit }): Damage => {
    return (row) => {
      const bytes = Buffer.from(row.encryptedKey ?? '', 'latin1');
      const index = at % bytes.length;
      bytes[index] = (bytes[index] ?? 0) ^ (1 << bit);
      return { ...row, encryptedKey: bytes.toString('latin1') };
    };
  }),
  fc.constant<Damage>((row, other) => ({ ...row, encryptedKey: other.encryptedKey })),
  fc.constant<Damage>((row, other) => ({
    ...row,
    createdAt: other.createdAt,
    encryptedAt: row.encryptedAt + 1,
  })),
  fc.constantFrom<Damage>(
    (row) => ({ ...row, status: null }),
    (row) => ({ ...row, status: 'PENDING_REENCRYPTION' }),
    (row) => ({ ...row, encryptedKey: null }),
    (row) => ({ ...row, encryptedByKid: row.encryptedByKid === oldMek ? newMek : oldMek }),
  ),
);

describe('whatever is damaged', () => {
  test('stops a re-encryption before its first write, or lies where nobody reads; two implementations agree', async () => {
    let [stopped, went] = [0, 0];
    await fc.assert(
      fc.asyncProperty(
        fc.array(key, { minLength: 2, maxLength: 5 }),
        fc.nat(),
        fc.nat(),
        damage,
        async (keys, at, from, harm) => {
          const clean = new MemoryNekStore();
          fill(clean, keys);
          const rows = clean.all();
          const [row, other] = [rows[at % rows.length], rows[from % rows.length]];
          if (row === undefined || other === undefined) throw new Error('no rows');
          const store = new MemoryNekStore();
          store.put(...rows.filter((one) => one !== row), harm(row, other));
          const rig = nekRig(store);
          const failure = await captured(reencrypt, place, rig.ctx)
            .then((ctx) => reencrypt.run(place, ctx))
            .then(
              () => undefined,
              (error: unknown) => error,
            );
          if (failure !== undefined) {
            expect(failure).toMatchObject({ code: 'nek-anomalies' });
            expect(store.inserted).toEqual([]);
            stopped += 1;
            return;
          }
          went += 1;
          expect(await verify.run(place, rig.ctx)).toMatchObject({ ok: true });
          for (const [id, found] of byKey(store.all())) {
            const [before, after] = [selected(byKey(rows).get(id) ?? []), selected(found)];
            expect(after?.encryptedByKid, id).toBe(newMek);
            const text = (one: NekRow) => opened(one, mekBytes(one.encryptedByKid ?? ''));
            if (before !== undefined && after !== undefined) expect(text(after)).toBe(text(before));
          }
        },
      ),
      { numRuns: 300 },
    );
    expect(stopped).toBeGreaterThan(30);
    expect(went).toBeGreaterThan(10);
  });

  test('master keys of other bytes write nothing', async () => {
    const rig = nekRig();
    rig.store.put(nekRow());
    const { private_jwks: keys, ...fields } = mekFields([newMek, oldMek]);
    rig.bao.kv.put(documentAt, { ...fields, keys, private_jwks: keys });
    await expect(reencrypt.capture(place, rig.ctx)).rejects.toMatchObject({
      code: 'nek-anomalies',
      details: [expect.stringContaining('decrypt'), expect.anything()],
    });
  });
});
