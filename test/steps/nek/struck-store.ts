import fc from 'fast-check';
import type {
  NekReadSession,
  NekSession,
  NekStoreTarget,
  NekStoreWriter,
} from '../../../src/services/nek-store.ts';
import { type MemoryNekStore, noAnswer, noQuorum } from '../../fakes/memory-nek-store.ts';

/** What strikes a call: the process dies before or after it, the answer is lost, the write is lost, or comes later, or it is refused. */
export type Blow = 'none' | 'crash' | 'crash-after' | 'lost' | 'dropped' | 'late' | 'refused';

export const blow: fc.Arbitrary<Blow> = fc.oneof(
  { weight: 12, arbitrary: fc.constant<Blow>('none') },
  {
    weight: 5,
    arbitrary: fc.constantFrom<Blow>('crash', 'crash-after', 'lost', 'dropped', 'late', 'refused'),
  },
);

export class Crash extends Error {}

/** One process's way to the store: each call waits for its turn and may be struck; a dead process neither acts nor hears again. */
export class StruckStore implements NekStoreWriter {
  readonly #store: MemoryNekStore;
  readonly #turn: (call: string) => Promise<unknown>;
  readonly #blows: Blow[];
  readonly #late: (() => void)[];
  #dead = false;
  #died: () => void = () => undefined;
  /** Rejects when the process dies. */
  readonly death: Promise<never>;

  constructor(
    store: MemoryNekStore,
    how: {
      readonly turn: (call: string) => Promise<unknown>;
      /** Shared by the processes of a run, so that it has an end. */
      readonly blows: Blow[];
      /** Where writes go that come later. */
      readonly late: (() => void)[];
    },
  ) {
    this.#store = store;
    this.#turn = how.turn;
    this.#blows = how.blows;
    this.#late = how.late;
    this.death = new Promise((_, reject) => {
      this.#died = () => reject(new Crash('the process died'));
    });
    this.death.catch(() => undefined);
  }

  async open(target: NekStoreTarget): Promise<NekSession> {
    const session = await this.#store.open(target);
    const never = new AbortController().signal;
    const call = <T>(name: string, act: () => Promise<T>) => this.#read(name, act);
    return {
      ...session,
      health: () => call('health', () => session.health(never)),
      scan: (options) => this.#scan(session, options),
      rows: (keys) => call('rows', () => session.rows(keys, never)),
      statusWriteTime: (key) => call('statusWriteTime', () => session.statusWriteTime(key, never)),
      insert: async (rows, options) => {
        const struck = await this.#struck('insert');
        // The coordinator gives the time when the request reaches it.
        const timestamp = options.timestamp ?? this.#store.micros();
        const write = () => this.#store.insertNow(rows, timestamp);
        if (struck === 'refused') throw noQuorum();
        if (struck === 'late') this.#late.push(write);
        if (struck !== 'dropped' && struck !== 'late') write();
        if (struck === 'crash-after') await this.#die();
        if (struck !== 'none') throw noAnswer();
      },
    };
  }

  async *#scan(session: NekReadSession, options: { readonly pageSize?: number }) {
    for await (const page of session.scan({ pageSize: Math.min(3, options.pageSize ?? 3) }, live)) {
      await this.#read('scan', async () => undefined);
      yield page;
    }
  }

  async #read<T>(name: string, act: () => Promise<T>): Promise<T> {
    const struck = await this.#struck(name);
    if (struck === 'crash-after') await this.#die();
    if (struck !== 'none') throw noQuorum();
    return await act();
  }

  async #struck(call: string): Promise<Blow> {
    await this.#turn(call);
    if (this.#dead) await new Promise(() => undefined);
    const struck = this.#blows.shift() ?? 'none';
    if (struck === 'crash') await this.#die();
    return struck;
  }

  async #die(): Promise<never> {
    this.#dead = true;
    this.#died();
    return await new Promise(() => undefined);
  }
}

const live = new AbortController().signal;
