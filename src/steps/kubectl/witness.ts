import { createHash } from 'node:crypto';
import type { Json } from '../../engine/json.ts';
import type { Witness } from '../../engine/step-type.ts';
import type { KubernetesObject } from '../../services/kubernetes.ts';
import { nameOf, objectPath } from './target.ts';
import type { FieldPath } from './touched.ts';
import { isObject, pick } from './touched.ts';

/** UID, generation and the fields that a step touches. Status updates do not move it. */
export function witness(object: KubernetesObject, paths: readonly FieldPath[]): Witness {
  const { namespace, name, uid, generation } = object.metadata;
  const shown = generation === undefined ? `uid ${uid.slice(0, 8)}` : `generation ${generation}`;
  return {
    resource: objectPath(namespace, object.kind, name),
    description: `${nameOf({ kind: object.kind, namespace, name })} ${shown}`,
    digest: digest({ uid, generation: generation ?? null, fields: pick(object, paths) }),
  };
}

/** Of an object that is not there. */
export function absence(target: {
  readonly kind: string;
  readonly namespace?: string | undefined;
  readonly name: string;
}): Witness {
  return {
    resource: objectPath(target.namespace, target.kind, target.name),
    description: `${nameOf(target)} does not exist`,
    digest: digest(null),
  };
}

/** sha256 of JSON with sorted keys. */
export function digest(value: Json): string {
  return createHash('sha256')
    .update(JSON.stringify(sorted(value)))
    .digest('hex');
}

function sorted(value: Json): Json {
  if (Array.isArray(value)) return value.map(sorted);
  if (!isObject(value)) return value;
  return Object.fromEntries(
    Object.keys(value)
      .sort()
      .map((key) => [key, sorted(value[key] ?? null)]),
  );
}
