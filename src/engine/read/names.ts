import type { SchemaNode } from '../step-schema.ts';
import { type Context, outputsOf } from './context.ts';
import { runbookSchema, runSchema, stateSchema } from './input-schema.ts';
import { elementName, type Item } from './outline.ts';
import { look, type Reader, type Visible } from './visibility.ts';

/** Where a text stands and what it can name besides inputs, steps and the run. */
export interface Site {
  readonly reader: Reader;
  /** The element of the step's own `forEach` is there too. */
  readonly element: boolean;
  /** Names of this place alone: `outputs` in `expect`. */
  readonly own?: Readonly<Record<string, SchemaNode>>;
  /** Taken before anything ran: only inputs are known. */
  readonly early?: true;
}

/** Root names at a place, without `steps`. */
export function rootNames(context: Context, site: Site): Readonly<Record<string, SchemaNode>> {
  const elements: Record<string, SchemaNode> = {};
  const chain = site.reader === 'outputs' ? [] : site.reader.chain;
  for (const item of chain) {
    const name = elementName(item);
    if (name === undefined || (item === site.reader && !site.element)) continue;
    elements[name] = context.elements.get(item) ?? {};
  }
  return { inputs: context.inputsSchema, run: runSchema, runbook: runbookSchema, ...elements, ...site.own };
}

/** What `steps.<id>` is, for one that can be read. */
export function stepSchema(
  context: Context,
  visible: Visible & { readonly ok: true },
  reader: Reader,
): SchemaNode {
  const { item, fans, own } = visible;
  const outputs = outputsOf(context, item);
  const before = own && undoes(item, reader) ? { before: {} } : {};
  return {
    type: 'object',
    additionalProperties: false,
    properties: {
      state: stateSchema,
      ...before,
      ...(outputs === undefined ? {} : { outputs: fanned(outputs, fans) }),
    },
  };
}

function undoes(item: Item, reader: Reader): boolean {
  return reader !== 'outputs' && reader.chain[item.chain.length]?.place === 'undo';
}

/** A map by key for each `forEach` on the way. */
function fanned(schema: SchemaNode, fans: number): SchemaNode {
  return fans === 0 ? schema : { type: 'object', additionalProperties: fanned(schema, fans - 1) };
}

export function lookFrom(context: Context, id: string, site: Site): Visible {
  if (site.early !== true) return look(context.directory, id, site.reader);
  return {
    ok: false,
    problem: {
      code: 'later-step',
      message: `step "${id}" cannot be read here: locks are taken before any step runs`,
      hint: 'a lock is named after inputs',
    },
  };
}

export type Followed =
  | { readonly ok: true; readonly schema: SchemaNode | undefined }
  /** `index` is the first part of the path that leads nowhere. */
  | { readonly ok: false; readonly index: number; readonly names: readonly string[]; readonly kind: string };

/** The schema at a path; undefined where a schema leaves it open. */
export function follow(schema: SchemaNode, path: readonly string[], from: number): Followed {
  let current: SchemaNode | undefined = schema;
  for (let index = from; index < path.length; index++) {
    const part = path[index] ?? '';
    if (current['x-secret'] === true || isOpen(current)) return { ok: true, schema: undefined };
    const next = child(current, part);
    if (next === undefined)
      return { ok: false, index, names: Object.keys(current.properties ?? {}), kind: typeOf(current) };
    if (next === true) return { ok: true, schema: undefined };
    current = next;
  }
  return { ok: true, schema: current };
}

function child(schema: SchemaNode, part: string): SchemaNode | true | undefined {
  if (schema.properties !== undefined && Object.hasOwn(schema.properties, part))
    return schema.properties[part];
  if (schema.items !== undefined) return /^\d+$/.test(part) ? schema.items : undefined;
  if (typeof schema.additionalProperties === 'object') return schema.additionalProperties;
  if (schema.additionalProperties === true) return true;
  return schema.type === 'object' &&
    schema.properties === undefined &&
    schema.additionalProperties === undefined
    ? true
    : undefined;
}

function isOpen(schema: SchemaNode): boolean {
  return (
    schema.type === undefined &&
    schema.properties === undefined &&
    schema.items === undefined &&
    schema.enum === undefined
  );
}

function typeOf(schema: SchemaNode): string {
  return typeof schema.type === 'string' ? schema.type : schema.enum === undefined ? 'value' : 'string';
}
