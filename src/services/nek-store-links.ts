import type { KubernetesReader } from './kubernetes.ts';
import type { NekStoreTarget } from './nek-store.ts';
import type { Link } from './nek-store-link.ts';

export interface Links {
  /** The link to a target, the same for all who ask for it, joined. The driver is loaded with the first one. */
  join(target: NekStoreTarget, signal: AbortSignal): Promise<Link>;
  /** Ends every link. */
  close(): void;
}

export function createLinks(kubernetes: Pick<KubernetesReader, 'list' | 'portForward'>): Links {
  const links: { readonly target: NekStoreTarget; readonly link: Link }[] = [];
  return {
    join: async (target, signal) => {
      const { createLink } = await import('./nek-store-link.ts');
      const known = links.find((each) => isSame(each.target, target));
      const link = known?.link ?? createLink(kubernetes, target);
      if (known === undefined) links.push({ target, link });
      await link.join(signal);
      return link;
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
