import { parseDuration } from '../duration.ts';
import type { Json, JsonObject } from '../json.ts';
import type { SourceFile } from '../source-file.ts';
import { type Catalogue, effectOf } from './context.ts';
import { elementName, type Item, parallelOf } from './outline.ts';
import type { ForEach, GroupNode, IncludeNode, Node, Retry, Runbook, StepNode } from './runbook.ts';
import { entryOf, jsonObjectOf, jsonOf, type MapTree, type Tree, textOf, valueAt } from './tree.ts';

/** What a document says, as data. */
export type Content = Omit<Runbook, 'files' | 'inputLocations'>;

export interface Builder extends Catalogue {
  readonly file: SourceFile;
  /** The content of what an item includes. */
  readonly included: ReadonlyMap<Item, { readonly path: string; readonly content: Content }>;
}

export function buildNodes(builder: Builder, items: readonly Item[]): readonly Node[] {
  return items.map((item) => {
    if (item.kind === 'group') return group(builder, item);
    return item.kind === 'include' ? include(builder, item) : step(builder, item);
  });
}

interface Base {
  readonly id: string;
  readonly name?: string;
  readonly when?: string;
  readonly forEach?: ForEach;
  readonly confirm?: string;
  readonly onFailure?: 'stop' | 'rollback' | 'continue';
  readonly at: string;
}

function base({ file }: Builder, item: Item): Base {
  const { line, column } = file.positionAt(item.tree.range.start);
  const name = file.path.slice(file.path.lastIndexOf('/') + 1);
  const forEach = forEachOf(item);
  return {
    id: item.id,
    ...texts(item.tree, ['name', 'when', 'confirm', 'onFailure']),
    ...(forEach === undefined ? {} : { forEach }),
    at: `${name}:${line}:${column}`,
  };
}

function texts(tree: Tree, keys: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(
    keys.flatMap((key) => {
      const text = textOf(valueAt(tree, key));
      return text === undefined ? [] : [[key, text]];
    }),
  );
}

function forEachOf(item: Item): ForEach | undefined {
  const list = valueAt(item.tree, 'forEach');
  if (list === undefined) return undefined;
  const items = jsonOf(list) as string | readonly Json[];
  return {
    items,
    as: elementName(item) ?? 'item',
    ...texts(item.tree, ['key']),
    parallel: parallelOf(item).instances,
  };
}

function step(builder: Builder, item: Item): StepNode {
  const { tree } = item;
  const input = objectAt(tree, 'with');
  const until = valueAt(tree, 'until');
  const retry = valueAt(tree, 'retry');
  const rollback = rollbackOf(builder, item);
  return {
    kind: 'step',
    ...base(builder, item),
    uses: item.uses,
    effect: effectOf(builder, item, input) ?? 'read',
    with: input,
    ...texts(tree, ['expect', 'timeout']),
    ...(until === undefined ? {} : { until: jsonOf(until) as unknown as { within: string; every: string } }),
    ...(retry === undefined ? {} : { retry: retryOf(retry) }),
    ...(item.verify.length === 0 ? {} : { verify: buildNodes(builder, item.verify) }),
    ...(rollback === undefined ? {} : { rollback }),
  };
}

function retryOf(tree: Tree): Retry {
  const written = jsonOf(tree) as unknown as Partial<Retry> & { readonly attempts: number };
  const delay = written.delay ?? '1s';
  const minute = (parseDuration(delay) ?? 0) < 60_000;
  return { backoff: 2, maxDelay: minute ? '1m' : delay, ...written, delay };
}

function group(builder: Builder, item: Item): GroupNode {
  const rollback = rollbackOf(builder, item);
  return {
    kind: 'group',
    ...base(builder, item),
    children: buildNodes(builder, item.children),
    parallel: parallelOf(item).children,
    ...(rollback === undefined ? {} : { rollback }),
  };
}

function rollbackOf(builder: Builder, item: Item): StepNode['rollback'] {
  const tree = valueAt(item.tree, 'rollback');
  if (tree === undefined) return undefined;
  if (tree.kind === 'list') return buildNodes(builder, item.undo);
  const undo = valueAt(tree, 'undo') === undefined ? {} : { undo: true as const };
  return { irreversible: textOf(valueAt(tree, 'irreversible')) ?? '', ...undo };
}

function include(builder: Builder, item: Item): IncludeNode {
  const found = builder.included.get(item);
  if (found === undefined) throw new Error(`nothing was read for ${item.uses}`);
  const { title, inputs, preconditions, steps, verifications, rollback, outputs, locks, risk } =
    found.content;
  return {
    kind: 'include',
    ...base(builder, item),
    path: found.path,
    title,
    with: objectAt(item.tree, 'with'),
    inputs,
    preconditions,
    children: steps,
    verifications,
    rollback,
    outputs,
    locks,
    risk,
  };
}

export function objectAt(tree: Tree, key: string): JsonObject {
  const value = valueAt(tree, key);
  return value?.kind === 'map' ? jsonObjectOf(value) : {};
}

export function contentOf(
  tree: MapTree,
  parts: Pick<Content, 'inputs' | 'preconditions' | 'steps' | 'verifications' | 'rollback'>,
): Content {
  const { name = '', title = '', description = '' } = texts(tree, ['name', 'title', 'description']);
  const locks = valueAt(tree, 'locks');
  return {
    name,
    title,
    description,
    risk: (textOf(valueAt(tree, 'risk')) ?? 'medium') as Content['risk'],
    locks: locks === undefined ? [] : (jsonOf(locks) as readonly string[]),
    ...parts,
    outputs: entryOf(tree, 'outputs') === undefined ? {} : objectAt(tree, 'outputs'),
  };
}
