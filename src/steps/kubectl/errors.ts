import type { StepErrorOptions } from '../../engine/step-type.ts';
import { StepError } from '../../engine/step-type.ts';
import type { KubernetesObject, KubernetesReader, ObjectRef } from '../../services/kubernetes.ts';
import { KubernetesError, kinds } from '../../services/kubernetes.ts';
import { nameOf } from './target.ts';

/** A call to the API server, in the words of its errors. */
export interface Call {
  /** 'get', 'patch', 'read the log of' */
  readonly verb: string;
  /** 'Deployment nvcf/nvcf-api', 'pods in nvcf' */
  readonly what: string;
}

/** Makes a call; what the API server refuses becomes a `StepError` with the next step. The only place that translates. */
export async function call<T>(description: Call, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    throw translate(description, error);
  }
}

/** The object, or a failure that says whether the object or its namespace is missing. */
export async function mustGet(kubernetes: KubernetesReader, ref: ObjectRef): Promise<KubernetesObject> {
  const what = describeRef(ref);
  const object = await call({ verb: 'get', what }, () => kubernetes.get(ref));
  if (object !== undefined) return object;
  throw await missing(kubernetes, ref);
}

export function describeRef(ref: ObjectRef): string {
  return nameOf({ kind: ref.kind.kind, namespace: ref.namespace, name: ref.name });
}

export async function missing(kubernetes: KubernetesReader, ref: ObjectRef): Promise<StepError> {
  const { namespace } = ref;
  if (namespace !== undefined && (await namespaceIsMissing(kubernetes, namespace)))
    return namespaceNotFound(namespace);
  const others = await siblings(kubernetes, ref);
  return new StepError('not-found', `${describeRef(ref)} does not exist.`, {
    outcome: 'not-applied',
    hint:
      others.length === 0 ? 'See what exists there with kubectl get.' : `There are: ${others.join(', ')}.`,
  });
}

/** For lists: a namespace that does not exist lists as empty. */
export async function requireNamespace(kubernetes: KubernetesReader, namespace: string): Promise<void> {
  if (await namespaceIsMissing(kubernetes, namespace)) throw namespaceNotFound(namespace);
}

export function noMatch(what: string, selector: string, namespace: string | undefined): StepError {
  return new StepError(
    'no-match',
    `No ${what} match${what.endsWith('s') ? '' : 'es'} '${selector}'${namespace === undefined ? '' : ` in namespace ${namespace}`}.`,
    {
      outcome: 'not-applied',
      hint: 'Check the labels: the services carry app.kubernetes.io/name = the name of their chart, not of their workload.',
    },
  );
}

function namespaceNotFound(namespace: string): StepError {
  return new StepError('namespace-not-found', `Namespace ${namespace} does not exist in this cluster.`, {
    outcome: 'not-applied',
    hint: 'Check the namespace, and that the kubeconfig context is that of the right cluster.',
  });
}

// Best effort: who may not read namespaces gets the plainer message.
async function namespaceIsMissing(kubernetes: KubernetesReader, namespace: string): Promise<boolean> {
  try {
    return (await kubernetes.get({ kind: kinds.namespaces, name: namespace })) === undefined;
  } catch {
    return false;
  }
}

async function siblings(kubernetes: KubernetesReader, ref: ObjectRef): Promise<readonly string[]> {
  try {
    const objects = await kubernetes.list(
      ref.kind,
      ref.namespace === undefined ? {} : { namespace: ref.namespace },
    );
    const names = objects.map((object) => object.metadata.name).sort();
    return names.length > 8 ? [...names.slice(0, 8), '…'] : names;
  } catch {
    return [];
  }
}

/** The evidence for an observation that could not be made. */
export function evidenceOf(error: unknown): string | undefined {
  if (error instanceof StepError) return error.message;
  return error instanceof KubernetesError ? error.message : undefined;
}

function translate({ verb, what }: Call, error: unknown): unknown {
  if (!(error instanceof KubernetesError)) return error;
  const doing = `${verb} ${what}`;
  const fail = (code: string, message: string, options: StepErrorOptions = {}) =>
    new StepError(code, message, {
      outcome: error.outcome,
      retryable: error.retryable,
      cause: error,
      ...options,
    });
  if (/already exists|AlreadyExists/.test(error.reason))
    return fail('already-exists', `Cannot ${doing}: it exists already.`);
  switch (error.status) {
    case 400:
    case 422:
      return fail('invalid', `The API server refuses to ${doing}: ${error.message}`, { retryable: false });
    case 401:
      return fail('unauthorized', `The API server no longer accepts the credentials (could not ${doing}).`, {
        hint: 'Log in again, then `runbook resume`.',
      });
    case 403:
      return fail('forbidden', `Not allowed to ${doing}: ${error.message}`, {
        hint: '`runbook plan --access` prints the Role that this run needs.',
      });
    case 404:
      return fail('not-found', `Cannot ${doing}: ${error.message}`);
    case 409:
      return fail('conflict', `Could not ${doing}, somebody else changed it: ${error.message}`, {
        hint: 'Look at what it is now, then run again.',
      });
    case 429:
      return fail('throttled', `The API server asks for patience (could not ${doing}): ${error.message}`, {
        retryable: true,
      });
    case undefined:
      return fail('unreachable', `The API server did not answer (could not ${doing}): ${error.message}`, {
        hint: 'Check the connection to the cluster; then `runbook resume`.',
      });
    default:
      return fail('server-error', `The API server failed to ${doing}: ${error.message}`);
  }
}
