import type { Clock } from './clock.ts';
import type { KubernetesReader } from './kubernetes.ts';
import { NekStoreError, type NekStoreWriter } from './nek-store.ts';
import { createLinks } from './nek-store-links.ts';

export interface NekStore extends NekStoreWriter {
  /** Ends every connection. Sessions are of no use afterwards. */
  close(): void;
}

/**
 * Cassandra over one port-forward for each pod. Sessions on the same target share their connections, which rest for a
 * while after the last one was closed. The driver is loaded with the first session.
 */
export function createNekStore(
  kubernetes: Pick<KubernetesReader, 'list' | 'portForward'>,
  clock: Clock,
): NekStore {
  const links = createLinks(kubernetes);
  return {
    open: async (target, signal) => {
      const { createSession, isName } = await import('./nek-store-session.ts');
      if (!isName(target.keyspace)) {
        throw new NekStoreError(
          `Cannot open a session: ${JSON.stringify(target.keyspace)} is no name of a keyspace.`,
          {
            reason: 'refused',
            outcome: 'not-applied',
            retryable: false,
          },
        );
      }
      const link = await links.join(target, signal);
      return createSession(link, target, clock);
    },
    close: links.close,
  };
}
