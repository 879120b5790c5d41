import type { ClusterIdentity, KubernetesReader } from './kubernetes.ts';
import { KubernetesError, kinds } from './kubernetes.ts';
import type { Calls } from './kubernetes-calls.ts';
import type { Connection } from './kubernetes-connection.ts';
import { objectPath } from './kubernetes-paths.ts';

const parallel = 8;

/** One SelfSubjectAccessReview each, a few at a time, answered in the order asked. */
export function createCanI(calls: Calls): KubernetesReader['canI'] {
  return async (accesses) => {
    const results: { readonly allowed: boolean; readonly reason: string }[] = new Array(accesses.length);
    const queue = [...accesses.entries()];
    const worker = async () => {
      for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
        results[next[0]] = await review(calls, next[1]);
      }
    };
    await Promise.all(Array.from({ length: parallel }, worker));
    return results;
  };
}

async function review(calls: Calls, access: Parameters<KubernetesReader['canI']>[0][number]) {
  const [resource = '', subresource] = access.resource.split('/');
  const answer = (await calls.read({
    method: 'POST',
    path: '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews',
    body: JSON.stringify({
      apiVersion: 'authorization.k8s.io/v1',
      kind: 'SelfSubjectAccessReview',
      spec: {
        resourceAttributes: {
          verb: access.verb,
          group: access.group,
          resource,
          subresource,
          namespace: access.namespace,
          name: access.name,
        },
      },
    }),
    place: {
      what: `ask whether ${access.verb} ${access.resource} is allowed`,
      write: false,
      confidential: false,
    },
  })) as {
    readonly status?: {
      readonly allowed?: boolean;
      readonly reason?: string;
      readonly evaluationError?: string;
    };
  };
  return {
    allowed: answer.status?.allowed === true,
    reason: answer.status?.reason || answer.status?.evaluationError || '',
  };
}

export async function askWhoAmI(calls: Calls): Promise<string> {
  const answer = (await calls.read({
    method: 'POST',
    path: '/apis/authentication.k8s.io/v1/selfsubjectreviews',
    body: JSON.stringify({ apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview' }),
    place: { what: 'ask which user the API server sees', write: false, confidential: false },
  })) as { readonly status?: { readonly userInfo?: { readonly username?: string } } };
  return answer.status?.userInfo?.username ?? '';
}

export async function readIdentity(calls: Calls, connection: Connection): Promise<ClusterIdentity> {
  const place = { what: 'identify the cluster', write: false, confidential: false };
  const path = objectPath({ kind: kinds.namespaces, name: 'kube-system' });
  const [system, version] = (await Promise.all([
    calls.read({
      method: 'GET',
      path,
      place: { ...place, what: 'identify the cluster by its kube-system namespace' },
    }),
    calls.read({ method: 'GET', path: '/version', place }),
  ])) as [{ readonly metadata?: { readonly uid?: string } }, { readonly gitVersion?: string }];
  const uid = system.metadata?.uid;
  if (uid === undefined || uid === '') {
    throw new KubernetesError(
      `Cannot identify the cluster at ${connection.server}: its kube-system namespace has no uid. — Check that the server of context "${connection.context}" is an API server.`,
      { reason: 'Unknown', outcome: 'not-applied', retryable: false },
    );
  }
  return { context: connection.context, server: connection.server, uid, version: version.gitVersion ?? '' };
}
