import type { Json, JsonObject } from '../engine/json.ts';
import { safeBlock, safeLine } from './safe-text.ts';
import { table } from './table.ts';
import { toYaml } from './yaml-text.ts';

function isScalar(value: Json): value is string | number | boolean | null {
  return value === null || typeof value !== 'object';
}

function isObject(value: Json): value is JsonObject {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}

function isFlat(value: Json): value is JsonObject {
  return isObject(value) && Object.values(value).every(isScalar);
}

function cell(value: Json | undefined): string {
  if (value === true) return 'yes';
  if (value === false) return 'no';
  return value === undefined || value === null ? '' : String(value);
}

function flatTable(rows: readonly JsonObject[]): string {
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  return table([
    columns.map((column) => column.toUpperCase()),
    ...rows.map((row) => columns.map((column) => cell(row[column]))),
  ]);
}

/** The lines of a log under a heading of the other fields: a pod and its container. */
function isListing(value: Json): value is JsonObject & { readonly lines: readonly string[] } {
  return (
    isObject(value) &&
    Array.isArray(value.lines) &&
    value.lines.every((line: Json) => typeof line === 'string')
  );
}

function listing(item: JsonObject & { readonly lines: readonly string[] }): string {
  const heading = Object.entries(item).flatMap(([key, value]) =>
    isScalar(value) ? [`${key} ${cell(value)}`] : [],
  );
  return `== ${safeLine(heading.join(', '))}\n${item.lines.map((line) => `${safeLine(line)}\n`).join('')}`;
}

function block(value: Json): string {
  if (typeof value === 'string') return `${safeBlock(value).trimEnd()}\n`;
  if (Array.isArray(value) && value.every(isFlat)) return flatTable(value);
  if (Array.isArray(value) && value.every(isListing)) return value.map(listing).join('\n');
  if (isObject(value) && Object.values(value).every(isFlat))
    return flatTable(Object.entries(value).map(([name, row]) => ({ name, ...(row as JsonObject) })));
  return safeBlock(toYaml(value));
}

/** A runbook's outputs for a terminal: scalars as `name: value`, lists of records as tables, texts as they are. */
export function outputsText(outputs: JsonObject): string {
  return Object.entries(outputs)
    .map(([name, value]) => {
      if (isScalar(value) && !(typeof value === 'string' && value.includes('\n')))
        return `${name}: ${safeLine(cell(value))}\n`;
      if (!isScalar(value) && Object.keys(value).length === 0) return `${name}: none\n`;
      return `${name}:\n${block(value)}`;
    })
    .join('\n');
}
