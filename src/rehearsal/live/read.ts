import { otherKinds } from '../../sandbox/catalog.ts';
import {
  type ClusterIdentity,
  type Kind,
  KubernetesError,
  type KubernetesObject,
  type KubernetesReader,
  kinds,
} from '../../services/kubernetes.ts';

/** All that is asked of the cluster. No Secret is among it: not even their names. */
export type LiveReader = Pick<KubernetesReader, 'identity' | 'list'>;

/** The objects of a cluster, as the API server returned them. */
export interface LiveRead {
  readonly identity: ClusterIdentity;
  readonly namespaces: readonly string[];
  readonly objects: readonly KubernetesObject[];
  /** Kinds that may not be read and can be done without, with what the API server said. */
  readonly refused: readonly { readonly kind: string; readonly why: string }[];
}

/** The cluster cannot be read. One line for each kind that cannot be listed. */
export class LiveReadError extends Error {
  readonly hint: string;

  constructor(problems: readonly string[], hint: string) {
    super(problems.join('\n'));
    this.name = 'LiveReadError';
    this.hint = hint;
  }
}

const cronJobs: Kind = {
  group: 'batch',
  version: 'v1',
  plural: 'cronjobs',
  kind: 'CronJob',
  namespaced: true,
};

const inNamespaces: readonly Kind[] = [
  kinds.deployments,
  kinds.statefulSets,
  kinds.daemonSets,
  kinds.replicaSets,
  kinds.controllerRevisions,
  kinds.configMaps,
  kinds.services,
  otherKinds.serviceAccounts,
  kinds.horizontalPodAutoscalers,
  otherKinds.podDisruptionBudgets,
  otherKinds.jobs,
  cronJobs,
];

/** Somebody who may work in a few namespaces often may not see these. */
const ofCluster: readonly Kind[] = [kinds.namespaces, otherKinds.nodes];

/** Forbidden, the sandbox has its own of what belongs to no namespace, and CronJobs it cannot run anyway; what is not served is not there. */
function dispensable({ error, kind }: Failed): boolean {
  if (error.status === 403) return kind === cronJobs || ofCluster.includes(kind);
  return error.status === 404 && kind.group !== '' && kind.group !== 'apps';
}

interface Failed {
  readonly error: KubernetesError;
  readonly kind: Kind;
  readonly namespace: string | undefined;
}

type Listed = { readonly objects: readonly KubernetesObject[] } | Failed;

async function list(reader: LiveReader, kind: Kind, namespace?: string): Promise<Listed> {
  try {
    return { objects: await reader.list(kind, namespace === undefined ? {} : { namespace }) };
  } catch (error) {
    if (error instanceof KubernetesError) return { error, kind, namespace };
    throw error;
  }
}

function resourceOf({ group, plural }: Kind): string {
  return group === '' ? plural : `${plural}.${group}`;
}

/** Calls that failed for one reason, by what was to be listed. */
function grouped(failed: readonly Failed[]): readonly (readonly [Failed, ...Failed[]])[] {
  const groups = new Map<string, [Failed, ...Failed[]]>();
  for (const each of failed) {
    const key = `${resourceOf(each.kind)} ${each.error.status} ${each.error.reason}`;
    const known = groups.get(key);
    if (known === undefined) groups.set(key, [each]);
    else known.push(each);
  }
  return [...groups.values()];
}

function namespacesIn(failed: readonly Failed[]): string {
  return failed.flatMap(({ namespace }) => namespace ?? []).join(', ');
}

function hintFor(failed: readonly Failed[]): string {
  const missing = failed.filter(({ error }) => error.status === 403);
  if (missing.length === 0) return 'nothing was rehearsed; when the cluster answers, do it again';
  const rights = grouped(missing).map((each) => `list ${resourceOf(each[0].kind)} in ${namespacesIn(each)}`);
  return `this user may not ${rights.join('; ')}: ask for that right, or use another user with --context; without --from-cluster no cluster is read`;
}

function problemsOf(failed: readonly Failed[]): readonly string[] {
  return grouped(failed).map(([{ error }, ...others]) =>
    others.length === 0 ? error.message : `${error.message} The same in ${namespacesIn(others)}.`,
  );
}

/** Reads what a rehearsal can begin with, in these namespaces; changes nothing. Throws `LiveReadError`. */
export async function readLive(reader: LiveReader, namespaces: readonly string[]): Promise<LiveRead> {
  const identity = await reader.identity().catch((error: unknown) => {
    if (!(error instanceof KubernetesError)) throw error;
    throw new LiveReadError(
      [error.message],
      'nothing was rehearsed; without --from-cluster no cluster is read',
    );
  });
  const listed: Listed[] = [];
  // One namespace after the other: an API server limits how many calls of one client it takes at a time.
  for (const namespace of namespaces)
    listed.push(...(await Promise.all(inNamespaces.map((kind) => list(reader, kind, namespace)))));
  listed.push(...(await Promise.all(ofCluster.map((kind) => list(reader, kind)))));
  const failures = listed.flatMap((each) => ('error' in each ? [each] : []));
  const failed = failures.filter((each) => !dispensable(each));
  if (failed.length > 0) throw new LiveReadError(problemsOf(failed), hintFor(failed));
  const forbidden = failures.filter(({ error }) => error.status === 403);
  const refused = new Map(forbidden.map(({ kind, error }) => [kind.kind, error.message]));
  return {
    identity,
    namespaces,
    objects: listed.flatMap((each) => ('objects' in each ? each.objects : [])),
    refused: [...refused].map(([kind, why]) => ({ kind, why })),
  };
}
