import type { Clock } from './clock.ts';
import type { KubernetesReader } from './kubernetes.ts';
import { NekStoreError, type NekStoreTarget, type NekStoreWriter } from './nek-store.ts';
import type { Link } from './nek-store-link.ts';

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
  const links: { readonly target: NekStoreTarget; readonly link: Link }[] = [];
  return {
    open: async (target, signal) => {
      const [{ createLink }, { createSession, isName }] = await Promise.all([
        import('./nek-store-link.ts'),
        import('./nek-store-session.ts'),
      ]);
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
      const known = links.find((each) => isSame(each.target, target));
      const link = known?.link ?? createLink(kubernetes, target);
      if (known === undefined) links.push({ target, link });
      await link.join(signal);
      return createSession(link, target, clock);
    },
    close: () => {
      for (const { link } of links.splice(0)) link.end();
    },
  };
}

/** Statements name their keyspace, so that it does not matter here. */
function isSame(left: NekStoreTarget, right: NekStoreTarget): boolean {
  return (
    left.namespace === right.namespace &&
    left.selector === right.selector &&
    left.datacenter === right.datacenter &&
    left.tls?.serverName === right.tls?.serverName &&
    left.tls?.ca === right.tls?.ca &&
    left.username.equals(right.username) &&
    left.password.equals(right.password)
  );
}
