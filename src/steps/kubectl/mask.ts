import type { Json, JsonObject } from '../../engine/json.ts';
import { isObject } from './touched.ts';

export const MASK = '«masked»';

const lastApplied = 'kubectl.kubernetes.io/last-applied-configuration';
const secretName =
  /pass(word|wd|phrase)?|secret|token|private|credential|api[-_]?key|signing[-_]?key|nkey|seed/i;

/** A name of an environment variable or field under which people keep secrets. */
export function looksSecret(name: string): boolean {
  return secretName.test(name);
}

/**
 * An object as it may be shown, recorded and returned: no value of a Secret, no copy of a manifest in an annotation,
 * no literal value of an environment variable whose name says that it is a secret.
 */
export function masked(object: JsonObject): JsonObject {
  const isSecret = object.kind === 'Secret';
  const entries = Object.entries(object).map(([key, value]): [string, Json] => {
    if (isSecret && (key === 'data' || key === 'stringData')) return [key, maskValues(value)];
    if (key === 'metadata' && isObject(value)) return [key, maskMetadata(value)];
    return [key, maskEnvironment(value)];
  });
  return Object.fromEntries(entries);
}

/** Whether masking would hide something: then the value may not be journaled, and cannot be put back. */
export function holdsSecret(value: Json): boolean {
  return JSON.stringify(maskEnvironment(value)) !== JSON.stringify(value);
}

function maskValues(value: Json): Json {
  return isObject(value) ? Object.fromEntries(Object.keys(value).map((key) => [key, MASK])) : MASK;
}

function maskMetadata(metadata: JsonObject): JsonObject {
  const { annotations } = metadata;
  if (!isObject(annotations) || !(lastApplied in annotations)) return metadata;
  return { ...metadata, annotations: { ...annotations, [lastApplied]: MASK } };
}

function maskEnvironment(value: Json): Json {
  if (Array.isArray(value)) return value.map(maskEnvironment);
  if (!isObject(value)) return value;
  const { name } = value;
  if (typeof name === 'string' && typeof value.value === 'string' && looksSecret(name))
    return { ...value, value: MASK };
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, maskEnvironment(item)]));
}
