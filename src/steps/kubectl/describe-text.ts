import type { Json, JsonObject } from '../../engine/json.ts';
import type { EventLine } from './event-list.ts';
import { isObject } from './touched.ts';

// Written by the API server for itself; nobody reads them here.
const leftOut = new Set(['managedFields', 'selfLink', 'resourceVersion']);
const maxText = 512;

/** An object as text: its fields indented, then its events. Values are masked before they get here. */
export function describeText(object: JsonObject, events: readonly EventLine[]): string {
  const metadata = isObject(object.metadata) ? object.metadata : {};
  const { kind, apiVersion, metadata: _, ...parts } = object;
  const head = [`${text(kind)} (${text(apiVersion)})`, ...fields(metadata, 1)];
  const body = Object.entries(parts).flatMap(([key, value]) =>
    isEmpty(value) ? [] : [`${key}:`, ...fields(value, 1)],
  );
  return [...head, ...body, ...eventLines(events)].join('\n');
}

function eventLines(events: readonly EventLine[]): readonly string[] {
  if (events.length === 0) return ['events: none'];
  return [
    'events:',
    ...events.map(
      (event) => `  ${event.lastSeen} ${event.type} ${event.reason} ×${event.count}: ${event.message}`,
    ),
  ];
}

function fields(value: Json, depth: number): readonly string[] {
  const indent = '  '.repeat(depth);
  if (Array.isArray(value))
    return value.flatMap((item) => {
      if (!isObject(item) && !Array.isArray(item)) return [`${indent}- ${text(item)}`];
      const [first = '', ...rest] = fields(item, depth + 1);
      return [`${indent}- ${first.trimStart()}`, ...rest];
    });
  if (!isObject(value)) return [`${indent}${text(value)}`];
  return Object.entries(value).flatMap(([key, item]) => {
    if (leftOut.has(key) || isEmpty(item)) return [];
    const nested = isObject(item) || Array.isArray(item);
    return nested ? [`${indent}${key}:`, ...fields(item, depth + 1)] : [`${indent}${key}: ${text(item)}`];
  });
}

function isEmpty(value: Json): boolean {
  if (value === null || value === '') return true;
  return typeof value === 'object' && Object.keys(value).length === 0;
}

function text(value: Json | undefined): string {
  const plain = typeof value === 'string' ? value : JSON.stringify(value ?? '');
  return plain.length > maxText ? `${plain.slice(0, maxText)}…` : plain;
}
