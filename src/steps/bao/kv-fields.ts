import { canonicalJson } from '../../engine/canonical-json.ts';
import { Secret } from '../../engine/secret.ts';
import type { DiffLine } from '../../engine/step-type.ts';
import type { KvRead } from '../../services/openbao.ts';
import { withFields } from './kv.ts';

/** Fields as a step's input has them. */
type Data = Readonly<Record<string, string | Secret>>;

/** Compared here and now: no digest of a value is kept, which a short one could be guessed from. */
export function holds(read: Exclude<KvRead, { state: 'failed' }>, data: Data): boolean {
  if (read.state !== 'found') return false;
  return sameData(read.data, dataOf(data));
}

export function sameData(one: Secret, other: Secret): boolean {
  return withFields(one, (fields) => withFields(other, (others) => sameFields(fields, others)));
}

type Fields = Readonly<Record<string, unknown>>;

function sameFields(one: Fields, other: Fields): boolean {
  const names = new Set([...Object.keys(one), ...Object.keys(other)]);
  return [...names].every((name) => sameField(one, other, name));
}

function sameField(one: Fields, other: Fields, name: string): boolean {
  if (!Object.hasOwn(one, name) || !Object.hasOwn(other, name)) return false;
  return canonicalJson(one[name]) === canonicalJson(other[name]);
}

/** A line for each field that would change, without its value. */
export function difference(
  now: Exclude<KvRead, { state: 'failed' }>,
  data: Data,
): { readonly lines: readonly DiffLine[]; readonly removed: readonly string[] } {
  const compare = (fields: Fields) =>
    withFields(dataOf(data), (wanted) => {
      const names = [...new Set([...Object.keys(fields), ...Object.keys(wanted)])].sort();
      const changed = names.filter((name) => !sameField(fields, wanted, name));
      const lines = changed.map((name) => ({
        path: `data.${name}`,
        ...(Object.hasOwn(fields, name) && { before: '«hidden»' }),
        ...(Object.hasOwn(wanted, name) && { after: '«hidden»' }),
      }));
      return { lines, removed: names.filter((name) => !Object.hasOwn(wanted, name)) };
    });
  return now.state === 'found' ? withFields(now.data, compare) : compare({});
}

/** The fields as one JSON object. */
export function dataOf(data: Data): Secret {
  const entries = Object.entries(data).map(([name, value]): [string, string] => [
    name,
    value instanceof Secret ? value.revealText((text) => text) : value,
  ]);
  return Secret.fromText('data', JSON.stringify(Object.fromEntries(entries)));
}
