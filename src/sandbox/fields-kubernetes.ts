import type { JsonObject } from '../engine/json.ts';
import { kinds } from '../services/kubernetes.ts';
import { served } from './catalog.ts';
import { digest, digested } from './digest.ts';
import { fromSecret, objectsOf } from './helm/records.ts';
import { controllerOf, type Thing } from './objects.ts';
import type { World } from './world.ts';

const RELEASE = 'helm.sh/release.v1';

/** Stored objects are replaced, never changed: what was made of one stays right. */
const known = new WeakMap<Thing, JsonObject>();

function fieldsOf(thing: Thing): JsonObject {
  const made = known.get(thing) ?? (JSON.parse(JSON.stringify(hidden(thing))) as JsonObject);
  known.set(thing, made);
  return made;
}

function hidden(thing: Thing): unknown {
  if (thing.kind !== 'Secret') return thing;
  return { ...thing, data: digested(thing.data ?? {}) };
}

/** 'Deployment nvcf/nvcf-api'; a pod that is made anew under another name is named by what made it. */
function subjectOf(world: World, thing: Thing): string {
  const { namespace, name } = thing.metadata;
  const place = namespace === undefined ? '' : `${namespace}/`;
  const owner = controllerOf(thing);
  if (thing.kind !== 'Pod' || owner === undefined || owner.kind === 'StatefulSet')
    return `${thing.kind} ${place}${name}`;
  const set =
    owner.kind === 'ReplicaSet' ? world.store.get(kinds.replicaSets, namespace, owner.name) : undefined;
  const above = (set && controllerOf(set)) ?? owner;
  return `Pod of ${above.kind} ${place}${above.name}`;
}

function releases(things: readonly Thing[]): Readonly<Record<string, JsonObject>> {
  const newest = new Map<string, { readonly version: number; readonly thing: Thing }>();
  for (const thing of things) {
    const { labels = {}, namespace } = thing.metadata;
    const subject = `Helm release ${namespace}/${labels.name}`;
    const version = Number(labels.version);
    if (version > (newest.get(subject)?.version ?? 0)) newest.set(subject, { version, thing });
  }
  return Object.fromEntries([...newest].map(([subject, { thing }]) => [subject, releaseFields(thing)]));
}

/** The newest revision: what is deployed, without when, and without how many there were before it. */
function releaseFields(thing: Thing): JsonObject {
  const made = known.get(thing);
  if (made !== undefined) return made;
  const record = fromSecret(thing as Parameters<typeof fromSecret>[0]);
  const objects = objectsOf(record).map((object) => {
    const { kind, metadata } = object as { kind: string; metadata: { name: string } };
    return [`${kind} ${metadata.name}`, digest(JSON.stringify(object))] as const;
  });
  const fields: JsonObject = {
    chart: `${record.chart.metadata.name} ${record.chart.metadata.version}`,
    status: record.info.status,
    values: digested(record.config),
    objects: Object.fromEntries(objects),
  };
  known.set(thing, fields);
  return fields;
}

/** Every object of the API server, and every release of Helm. */
export function kubernetesFields(world: World): Readonly<Record<string, JsonObject>> {
  const found: Record<string, JsonObject> = {};
  const pods = new Map<string, JsonObject[]>();
  const records: Thing[] = [];
  for (const kind of served)
    for (const thing of world.store.all(kind)) {
      if (thing.kind === 'Secret' && thing.type === RELEASE) {
        records.push(thing);
        continue;
      }
      const subject = subjectOf(world, thing);
      if (subject.startsWith('Pod of ')) pods.set(subject, [...(pods.get(subject) ?? []), fieldsOf(thing)]);
      else found[subject] = fieldsOf(thing);
    }
  for (const [subject, each] of pods)
    for (const [at, pod] of each.entries()) found[`${subject} #${at + 1}`] = pod;
  return { ...found, ...releases(records) };
}
