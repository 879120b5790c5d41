import type { Json } from '../engine/json.ts';

// What YAML 1.2 core would read as something other than this string.
const NEEDS_QUOTES =
  /^$|^[\s#&*!|>'"%@`{}[\],?:-]|: |:$| #|\s$|[\n\t]|^(?:null|true|false|~|[-+]?[0-9.].*)$/i;

function scalar(value: Exclude<Json, object>): string {
  if (typeof value !== 'string') return String(value);
  return NEEDS_QUOTES.test(value) ? JSON.stringify(value) : value;
}

/** Block YAML for examples, outputs and manifests. Empty lists and maps stand as `[]` and `{}`. */
export function toYaml(value: Json, indent = ''): string {
  if (value === null || typeof value !== 'object') return `${indent}${scalar(value)}\n`;
  if (Array.isArray(value))
    return value.map((item: Json) => entry(`${indent}-`, item, indent, true)).join('');
  return Object.entries(value)
    .map(([key, item]) => entry(`${indent}${scalar(key)}:`, item, indent, false))
    .join('');
}

function entry(head: string, value: Json, indent: string, listItem: boolean): string {
  if (value === null || typeof value !== 'object') return `${head} ${scalar(value)}\n`;
  if (Object.keys(value).length === 0) return `${head} ${Array.isArray(value) ? '[]' : '{}'}\n`;
  const inner = toYaml(value, `${indent}  `);
  // Inside a list, what follows starts on the dash's own line.
  return listItem
    ? `${head} ${inner.slice(indent.length + 2)}`
    : `${head}
${inner}`;
}
