import type { Json, JsonObject } from '../../engine/json.ts';
import { Secret } from '../../engine/secret.ts';
import type { DiffLine, ReadContext } from '../../engine/step-type.ts';
import { looksSecret, MASK } from '../kubectl/mask.ts';
import { isObject } from '../kubectl/touched.ts';

/** Names under which nobody keeps a secret. Any other text of a values file is hidden: nobody knows what it is. */
const plain =
  /^(?:enabled|replicas?|replicacount|tag|repository|registry|image|version|pullpolicy|type|storageclass|storageclassname|size|cpu|memory|level|loglevel|port|timeout|interval|name|namespace|profile|kind)$/i;

/** Which values would change, path by path. Numbers and switches are shown, texts only under names that never hold a secret. */
export function diffValues(before: JsonObject, after: JsonObject): readonly DiffLine[] {
  return compare([], before, after);
}

function compare(
  path: readonly string[],
  before: Json | undefined,
  after: Json | undefined,
): readonly DiffLine[] {
  if (JSON.stringify(before) === JSON.stringify(after)) return [];
  if (isObject(before) && isObject(after)) {
    const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])];
    return keys.flatMap((key) => compare([...path, key], before[key], after[key]));
  }
  if (before === undefined && isObject(after) && Object.keys(after).length > 0)
    return compare(path, {}, after);
  if (after === undefined && isObject(before) && Object.keys(before).length > 0)
    return compare(path, before, {});
  const name = path.at(-1) ?? '';
  const show = (value: Json) => shown(name, path, value);
  return [
    {
      path: path.join('.'),
      ...(before !== undefined && { before: show(before) }),
      ...(after !== undefined && { after: show(after) }),
    },
  ];
}

function shown(name: string, path: readonly string[], value: Json): Json {
  if (path.some(looksSecret)) return MASK;
  if (value === null || typeof value === 'boolean' || typeof value === 'number') return value;
  if (typeof value === 'string') return plain.test(name) ? value : MASK;
  return Array.isArray(value) ? `«list of ${value.length}»` : `«map of ${Object.keys(value).length}»`;
}

/** Paths of values that the one has and the other lacks: a values file from before they were given takes them away. */
export function lostValues(before: JsonObject, after: JsonObject): readonly string[] {
  return compare([], before, after)
    .filter((line) => line.after === undefined)
    .map(({ path }) => path);
}

/** Shorter ones would hide ordinary words. */
const shortest = 6;

/** Values under names that tell a secret can be printed by nobody from now on: not in a log, not in an event. */
export function protectValues(ctx: ReadContext, values: JsonObject): void {
  const visit = (path: readonly string[], value: Json): void => {
    if (typeof value === 'string') {
      if (value.length >= shortest && path.some(looksSecret))
        ctx.protect(Secret.fromText(`value ${path.join('.')}`, value));
    } else if (typeof value === 'object' && value !== null)
      for (const [key, item] of Object.entries(value)) visit([...path, key], item);
  };
  visit([], values);
}
