import type {
  JweKidCount,
  NekPage,
  NekRow,
  NekSession,
  NekStoreError,
  NekStoreTarget,
  NekStoreWriter,
} from '../../../src/services/nek-store.ts';

/** Rows in memory: those of ESS, and JWE columns of API Keys by table. */
export class MemoryNekStore implements NekStoreWriter {
  rows: NekRow[] = [];
  readonly columns = new Map<string, readonly string[]>();
  /** Thrown by every call from now on. */
  failure: NekStoreError | undefined;
  readonly opened: NekStoreTarget[] = [];
  closed = 0;

  async open(target: NekStoreTarget): Promise<NekSession> {
    this.opened.push(target);
    const store = this;
    const alive = () => {
      if (store.failure !== undefined) throw store.failure;
    };
    alive();
    return {
      health: async () => {
        throw new Error('no health in this fake');
      },
      async *scan({ pageSize = 100 }): AsyncGenerator<NekPage> {
        for (let from = 0; from < store.rows.length; from += pageSize) {
          alive();
          const end = Math.min(from + pageSize, store.rows.length);
          yield { rows: store.rows.slice(from, end), done: end / store.rows.length };
        }
      },
      partition: async ({ namespace, kid }) =>
        store.rows.filter((row) => row.namespace === namespace && (kid === undefined || row.kid === kid)),
      rows: async () => [],
      statusWriteTime: async () => undefined,
      jweKids: async ({ table }) => {
        alive();
        return counted(store.columns.get(table) ?? []);
      },
      async *jwes({ table, kid }): AsyncGenerator<readonly string[]> {
        alive();
        yield (store.columns.get(table) ?? []).filter((jwe) => headerKid(jwe) === kid);
      },
      insert: async () => {
        throw new Error('a step on master keys writes no row');
      },
      claimCurrentKid: async () => {
        throw new Error('a step on master keys writes no row');
      },
      close: () => {
        store.closed += 1;
      },
    };
  }
}

function counted(jwes: readonly string[]): readonly JweKidCount[] {
  const counts = new Map<string | null, number>();
  for (const jwe of jwes) counts.set(headerKid(jwe), (counts.get(headerKid(jwe)) ?? 0) + 1);
  return [...counts].map(([kid, rows]) => ({ kid, rows }));
}

export function headerKid(jwe: string): string | null {
  try {
    const header = JSON.parse(Buffer.from(jwe.split('.')[0] ?? '', 'base64url').toString());
    return typeof header.kid === 'string' ? header.kid : null;
  } catch {
    return null;
  }
}
