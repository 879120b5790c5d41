import { expect } from 'vitest';
import type { NekRow } from '../../../src/services/nek-store.ts';
import type { MemoryNekStore } from '../../fakes/memory-nek-store.ts';
import { mekBytes, nekOf, nekRow, newMek, opened, sha256 } from '../../fakes/nek-rows.ts';

type Reading = Pick<NekRow, 'namespace' | 'kid'>;

/** ESS's own rule in a test's words: the newest row with a readable status that opens and is bound to its columns. */
export function selected(rows: readonly NekRow[]): NekRow | undefined {
  return rows
    .filter(({ status }) => status === 'VALIDATED' || status === 'CREATION_VALIDATED')
    .sort((a, b) => b.encryptedAt - a.encryptedAt)
    .find(isGood);
}

export function isGood(row: NekRow): boolean {
  const text = opened(row, mekBytes(row.encryptedByKid ?? ''));
  if (text === undefined) return false;
  const header = headerOf(row.encryptedKey);
  return (
    sha256(`{"k":"${text}","kty":"oct"}`).toString('base64url') === row.kid &&
    header.version === 1 &&
    header.kid === row.encryptedByKid &&
    header.namespace === row.namespace &&
    header.createdAt === row.createdAt &&
    header.encryptedAt === row.encryptedAt
  );
}

export function headerOf(jwe: string | null): Readonly<Record<string, unknown>> {
  return JSON.parse(Buffer.from((jwe ?? '').split('.')[0] ?? '', 'base64url').toString());
}

function idOf({ namespace, kid }: Reading): string {
  return `${namespace} ${kid}`;
}

export function byKey(rows: readonly NekRow[]): ReadonlyMap<string, readonly NekRow[]> {
  const groups = new Map<string, NekRow[]>();
  for (const row of rows) groups.set(idOf(row), [...(groups.get(idOf(row)) ?? []), row]);
  return groups;
}

/** What ESS does while a re-encryption runs. */
export type EssAct =
  | { readonly act: 'create'; readonly namespace: string; readonly mek: string }
  | { readonly act: 'rotate'; readonly namespace: string; readonly mek: string }
  | { readonly act: 'reencrypt'; readonly namespace: string }
  | { readonly act: 'promote' };

/** Writes into the same rows as ESS would, whatever else goes on there. */
export class EssModel {
  readonly #store: MemoryNekStore;
  readonly #now: () => number;
  #made = 0;

  constructor(store: MemoryNekStore, now: () => number) {
    this.#store = store;
    this.#now = now;
  }

  do(act: EssAct): void {
    const rows = this.#store.all();
    switch (act.act) {
      case 'create': {
        const there = rows.some(({ namespace }) => namespace === act.namespace);
        if (!there) this.#put({ ...act, status: 'CREATION_VALIDATED', seed: act.namespace });
        return;
      }
      case 'rotate':
        if (rows.some(({ namespace }) => namespace === act.namespace))
          this.#put({ ...act, status: 'PENDING_ROTATION', seed: `${act.namespace} rotated ${++this.#made}` });
        return;
      case 'reencrypt': {
        const mine = [...byKey(rows).values()].filter(([row]) => row?.namespace === act.namespace);
        for (const key of mine) this.#reencrypt(selected(key));
        return;
      }
      case 'promote':
        for (const row of rows) this.#promote(row);
    }
  }

  #put(wish: {
    readonly namespace: string;
    readonly mek: string;
    readonly status: string;
    readonly seed: string;
  }): void {
    const { namespace, status, seed } = wish;
    const known = this.#store.all().find((row) => row.namespace === namespace);
    const currentKid = status === 'CREATION_VALIDATED' ? nekOf(seed).kid : (known?.currentKid ?? null);
    this.#store.put(nekRow({ ...wish, encryptedAt: this.#now(), currentKid }));
  }

  #reencrypt(row: NekRow | undefined): void {
    if (row === undefined || row.encryptedByKid === newMek) return;
    const seed = seedOf(row.namespace, row.kid);
    const encryptedAt = Math.max(this.#now(), row.encryptedAt + 1);
    const there = this.#store
      .all()
      .some((other) => other.kid === row.kid && other.encryptedAt === encryptedAt);
    // ESS's own clock gives each of its rows a time of its own.
    if (there) return;
    const { namespace, currentKid, createdAt } = row;
    this.#store.put(
      nekRow({
        namespace,
        seed,
        mek: newMek,
        encryptedAt,
        currentKid,
        status: 'PENDING_REENCRYPTION',
        ...(createdAt !== null && { createdAt }),
      }),
    );
  }

  #promote(row: NekRow): void {
    if (!row.status?.startsWith('PENDING') || !isGood(row)) return;
    this.#store.setStatus(row, 'VALIDATED');
    if (row.status === 'PENDING_ROTATION') this.#store.setCurrentKid(row.namespace, row.kid);
  }
}

function seedOf(namespace: string, kid: string): string {
  const numbers = Array.from({ length: 10 }, (_, index) => index);
  const seeds = numbers.flatMap((index) => [`${namespace} ${index}`, `${namespace} rotated ${index}`]);
  return seeds.find((seed) => nekOf(seed).kid === kid) ?? namespace;
}

/** After every write: what could be read can be read, and rows of others are as they were. */
export class Watch {
  readonly #store: MemoryNekStore;
  readonly #readable = new Set<string>();
  readonly #foreign = new Map<string, string | null>();
  #ours = new Map<string, string>();

  constructor(store: MemoryNekStore) {
    this.#store = store;
    store.afterWrite = () => this.look();
    this.look();
  }

  look(): void {
    for (const rows of this.#store.inserted.splice(0).values())
      for (const row of rows) {
        expect(Object.keys(row).sort()).toEqual(
          ['createdAt', 'encryptedAt', 'encryptedByKid', 'encryptedKey', 'kid', 'namespace', 'status'].sort(),
        );
        expect(row.encryptedByKid).toBe(newMek);
        expect(isGood({ ...row, currentKid: null })).toBe(true);
        const [, , iv = ''] = row.encryptedKey.split('.');
        expect(this.#ours.get(iv) ?? row.encryptedKey).toBe(row.encryptedKey);
        this.#ours.set(iv, row.encryptedKey);
      }
    for (const [id, rows] of byKey(this.#store.all())) {
      const good = selected(rows) !== undefined;
      if (good) this.#readable.add(id);
      expect(good || !this.#readable.has(id), `${id} can be read no more`).toBe(true);
      for (const row of rows) this.#unchanged(id, row);
    }
  }

  #unchanged(id: string, row: NekRow): void {
    const [, , iv = ''] = (row.encryptedKey ?? '').split('.');
    if (this.#ours.has(iv)) return;
    const place = `${id} ${row.encryptedAt}`;
    const before = this.#foreign.get(place);
    if (before !== undefined) expect(row.encryptedKey, `${place} was overwritten`).toBe(before);
    this.#foreign.set(place, row.encryptedKey);
  }
}
