import type { Json, JsonObject } from '../../engine/json.ts';
import { seededServices } from '../../sandbox/seed/services.ts';
import type { LiveShape } from '../../sandbox/seed/shape.ts';
import type { KubernetesObject } from '../../services/kubernetes.ts';
import { resolveService, type ServiceEntry } from '../../services/service-directory.ts';
import { createHider, type SecretRule } from './hide.ts';
import type { LiveRead } from './read.ts';
import type { LeftOut, LiveReport } from './report.ts';
import { jobSentence, workloadSentences } from './unsettled.ts';

const WORKLOADS = new Set(['Deployment', 'StatefulSet', 'DaemonSet']);
const HISTORY = new Set(['ReplicaSet', 'ControllerRevision']);
/** Nothing of them is kept but what places pods and names them. */
const BARE = new Set(['Namespace', 'Node']);
/** In which order they can be made. */
const ORDER = [
  'Namespace',
  'Node',
  'ServiceAccount',
  'ConfigMap',
  'Service',
  'HorizontalPodAutoscaler',
  'PodDisruptionBudget',
  'Job',
  'StatefulSet',
  'Deployment',
  'DaemonSet',
  'ReplicaSet',
  'ControllerRevision',
];
/** A copy of a whole manifest, with whatever was in it. */
const COPY = 'kubectl.kubernetes.io/last-applied-configuration';

/** 'Deployment nvcf/nvcf-api'. */
function named({ kind, metadata: { namespace, name } }: KubernetesObject): string {
  return namespace === undefined ? `${kind} ${name}` : `${kind} ${namespace}/${name}`;
}

function controllerOf({ metadata: { ownerReferences, namespace } }: KubernetesObject): string | undefined {
  const owner = ownerReferences?.find(({ controller }) => controller === true);
  return owner === undefined ? undefined : `${owner.kind} ${namespace}/${owner.name}`;
}

/** Those of the inventory by their pods' labels, and those that the sandbox has by the same name. Throws `ServiceResolutionError`. */
async function runnable(
  objects: readonly KubernetesObject[],
  inventory: readonly ServiceEntry[],
): Promise<ReadonlySet<string>> {
  const seeded = seededServices({ nvcaOperator: true });
  const found = new Set(seeded.map(({ kind, namespace, name }) => `${kind} ${namespace}/${name}`));
  const list = async ({ kind }: { readonly kind: string }, where: { readonly namespace?: string }) =>
    objects.filter((object) => object.kind === kind && object.metadata.namespace === where.namespace);
  for (const entry of inventory) {
    // Whatever is not there is not here, either: no service has to be.
    const service = await resolveService({ ...entry, optional: true }, { list });
    if (service.present) {
      const { kind, namespace, resource } = service.entry;
      found.add(`${kind} ${namespace}/${resource}`);
    }
  }
  return new Set(objects.map(named).filter((name) => found.has(name)));
}

function metadataOf({ kind, metadata }: KubernetesObject): JsonObject {
  const { name, namespace, labels, annotations = {}, ownerReferences = [] } = metadata;
  const { [COPY]: _, ...kept } = annotations;
  const owners = ownerReferences.filter(({ controller }) => controller === true);
  return {
    name,
    ...(namespace === undefined ? {} : { namespace }),
    ...(labels === undefined ? {} : { labels }),
    ...(BARE.has(kind) || Object.keys(kept).length === 0 ? {} : { annotations: kept }),
    ...(HISTORY.has(kind) ? { ownerReferences: owners as unknown as Json } : {}),
  };
}

/** What of an object the simulated API server is given. */
function manifestOf(object: KubernetesObject): JsonObject {
  const { apiVersion, kind, metadata: _, status, spec, ...rest } = object;
  const head = { apiVersion, kind, metadata: metadataOf(object) };
  if (kind === 'Namespace') return { ...head, spec: spec ?? {} };
  if (kind === 'Node') {
    const { allocatable = {}, capacity = {}, conditions = [], nodeInfo = {} } = status ?? {};
    return { ...head, spec: {}, status: { allocatable, capacity, conditions, nodeInfo } };
  }
  return {
    ...head,
    ...(rest as JsonObject),
    ...(spec === undefined ? {} : { spec }),
    // One that has ended is not started again.
    ...(kind === 'Job' && status !== undefined ? { status } : {}),
  };
}

function leftOut(objects: readonly KubernetesObject[], here: ReadonlySet<string>): readonly LeftOut[] {
  return objects.flatMap((object) => {
    const what = named(object);
    if (object.kind === 'CronJob') return [{ what, why: 'the sandbox runs no CronJobs' }];
    return WORKLOADS.has(object.kind) && !here.has(what)
      ? [{ what, why: 'no service of the inventory, so the sandbox cannot run it' }]
      : [];
  });
}

function counts(objects: readonly JsonObject[]): LiveReport['live'] {
  return ORDER.map((kind) => ({ kind, count: objects.filter((each) => each.kind === kind).length })).filter(
    ({ count }) => count > 0,
  );
}

/** The stores that the rest of the sandbox cannot do without, where the cluster has none of that name. */
function ownStores(here: ReadonlySet<string>): readonly string[] {
  return seededServices({ nvcaOperator: true }).flatMap(({ kind, namespace, name }) =>
    kind === 'StatefulSet' && !here.has(`${kind} ${namespace}/${name}`) ? [`${namespace}/${name}`] : [],
  );
}

function simulated({ refused }: LiveRead, own: readonly string[]): readonly string[] {
  return [
    'Pods, how long they take, and whether they become ready: of a container only its server is simulated, not its image or command, and what webhooks add to pods is not there.',
    'Secrets: none was read, neither names nor values; the sandbox has its own.',
    'What OpenBao, Cassandra and NATS hold: master keys, namespace keys, migrations, streams.',
    'Helm releases, their history and values, which Helm keeps in Secrets: what runs is taken for what was installed, and another version of a chart is the same with another image.',
    'Everything that is not counted above: other kinds, other namespaces.',
    ...own.map(
      (name) =>
        `StatefulSet ${name}: there is none of that name in the cluster, and nothing runs without it.`,
    ),
    ...refused.map(({ kind, why }) => `${kind}s: they may not be read. ${why}`),
  ];
}

/**
 * A world for the sandbox that is shaped like a cluster, with nothing secret in it, and what it is and is not.
 * Throws `ServiceResolutionError` when a service of the inventory is there twice or under an unknown name.
 */
export async function shapeOf(
  read: LiveRead,
  inventory: readonly ServiceEntry[],
  rule: SecretRule,
): Promise<{
  readonly shape: LiveShape;
  readonly report: Omit<LiveReport, 'unready'>;
  readonly nvcaOperator: boolean;
}> {
  const { identity, namespaces } = read;
  const objects = read.objects.filter(
    ({ kind, metadata }) => kind !== 'Namespace' || namespaces.includes(metadata.name),
  );
  const here = await runnable(objects, inventory);
  const kept = objects.filter((object) => {
    if (WORKLOADS.has(object.kind)) return here.has(named(object));
    if (HISTORY.has(object.kind)) return here.has(controllerOf(object) ?? '');
    return ORDER.includes(object.kind);
  });
  const hider = createHider(rule);
  const manifests = kept
    .map((object) => hider.hide(manifestOf(object)) as JsonObject)
    .sort((a, b) => ORDER.indexOf(String(a.kind)) - ORDER.indexOf(String(b.kind)));
  const own = ownStores(here);
  return {
    shape: { objects: manifests, own },
    nvcaOperator: here.has('Deployment nvca-operator/nvca-operator'),
    report: {
      context: identity.context,
      server: identity.server,
      version: identity.version,
      uid: identity.uid,
      namespaces,
      live: counts(manifests),
      madeUp: hider.madeUp(),
      simulated: simulated(read, own),
      otherwise: kept.flatMap((object) =>
        WORKLOADS.has(object.kind)
          ? workloadSentences(object).map((text) => `${named(object)}: ${text}`)
          : object.kind === 'Job'
            ? jobSentence(object).map((text) => `${named(object)}: ${text}`)
            : [],
      ),
      leftOut: leftOut(objects, here),
    },
  };
}
