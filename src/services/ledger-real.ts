import type { Clock } from './clock.ts';
import type { KubernetesReader } from './kubernetes.ts';
import { type LedgerRow, type LedgerTarget, type LedgerWriter, ledgerKeyspace } from './ledger.ts';
import { askAgain } from './nek-store-again.ts';
import type { Connected, Link } from './nek-store-link.ts';
import { createLinks } from './nek-store-links.ts';

export interface Ledger extends LedgerWriter {
  /** Ends the connections that rest. */
  close(): void;
}

/** The ledger over the same port-forwards and with the same driver as the namespace keys, with a role of its own. */
export function createLedger(
  kubernetes: Pick<KubernetesReader, 'list' | 'portForward'>,
  clock: Clock,
): Ledger {
  const links = createLinks(kubernetes);

  async function linked<T>(
    target: LedgerTarget,
    signal: AbortSignal,
    use: (link: Link, driver: typeof import('./ledger-statements.ts')) => Promise<T>,
  ): Promise<T> {
    const driver = await import('./ledger-statements.ts');
    const link = await links.join({ ...target, keyspace: ledgerKeyspace }, signal);
    try {
      return await use(link, driver);
    } finally {
      link.leave();
    }
  }

  return {
    read: (target, signal) =>
      linked(target, signal, async (link, { readTable, readTables }) => {
        const ask = <T>(what: string, work: (connected: Connected) => Promise<T>) =>
          askAgain(() => link.call({ what, write: false }, signal, work), clock, signal);
        const names = await ask(`list the tables of ${ledgerKeyspace}`, ({ client }) => readTables(client));
        return await Promise.all(
          names.map(async (keyspace) => {
            const rows = await ask(`read ${ledgerKeyspace}.${keyspace}`, ({ client }) =>
              readTable(client, keyspace),
            );
            return { keyspace, rows: sorted(rows) };
          }),
        );
      }),
    mark: (target, mark, signal) =>
      linked(target, signal, (link, { writeMark }) =>
        link.call(
          { what: `mark version ${mark.version} in ${ledgerKeyspace}.${mark.keyspace}`, write: true },
          signal,
          ({ client }) => writeMark(client, mark),
        ),
      ),
    close: links.close,
  };
}

function sorted(rows: readonly LedgerRow[]): readonly LedgerRow[] {
  return [...rows].sort((a, b) => a.version - b.version);
}
