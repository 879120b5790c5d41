import type { MapTree, Tree } from './tree.ts';
import { entryOf, jsonOf, textOf, valueAt } from './tree.ts';

export type Block = 'preconditions' | 'steps' | 'verifications' | 'rollback';

export const blocks: readonly Block[] = ['preconditions', 'steps', 'verifications', 'rollback'];

/** A step as it stands in its document: the tree with its neighbours, before anything is known of its type. */
export interface Item {
  readonly id: string;
  readonly tree: MapTree;
  readonly kind: 'step' | 'group' | 'include';
  readonly uses: string;
  readonly block: Block;
  /** How it stands in `parent`; 'root' for the steps of a block. */
  readonly place: 'root' | 'child' | 'verify' | 'undo';
  readonly parent: Item | undefined;
  /** From the root of the document down to this one. */
  readonly chain: readonly Item[];
  /** Position in the document. */
  readonly order: number;
  readonly children: readonly Item[];
  readonly verify: readonly Item[];
  readonly undo: readonly Item[];
}

export interface Outline {
  readonly roots: Readonly<Record<Block, readonly Item[]>>;
  /** In document order. */
  readonly all: readonly Item[];
}

/** The steps of a document that fits the schema. */
export function outlineOf(tree: MapTree): Outline {
  const all: Item[] = [];
  const list = (block: Block) =>
    items(all, { list: valueAt(tree, block), block, place: 'root', parent: undefined });
  const roots = Object.fromEntries(blocks.map((block) => [block, list(block)])) as Record<Block, Item[]>;
  return { roots, all };
}

/** Whether `uses` names a file instead of a step type. */
export function namesFile(uses: string): boolean {
  return /^\.{0,2}\//.test(uses) || /\.ya?ml$/.test(uses);
}

/** Of every list of steps, in a tree of any shape; for checks that cannot wait until the whole document fits. */
export function* stepTrees(tree: MapTree): Generator<MapTree> {
  for (const block of blocks) yield* stepsIn(valueAt(tree, block));
}

function* stepsIn(list: Tree | undefined): Generator<MapTree> {
  if (list?.kind !== 'list') return;
  for (const step of list.items) {
    if (step.kind !== 'map') continue;
    yield step;
    for (const key of ['steps', 'verify', 'rollback']) yield* stepsIn(valueAt(step, key));
  }
}

/** What stands under `uses`, whether there is such a step type or not. */
export function typesIn(tree: MapTree): ReadonlySet<string> {
  return new Set([...stepTrees(tree)].flatMap((step) => textOf(valueAt(step, 'uses')) ?? []));
}

interface Siblings {
  readonly list: Tree | undefined;
  readonly block: Block;
  readonly place: Item['place'];
  readonly parent: Item | undefined;
}

function items(all: Item[], { list, block, place, parent }: Siblings): Item[] {
  if (list?.kind !== 'list') return [];
  return list.items.flatMap((tree) => {
    if (tree.kind !== 'map') return [];
    const uses = textOf(valueAt(tree, 'uses')) ?? '';
    const group = entryOf(tree, 'steps') !== undefined;
    const chain: Item[] = parent === undefined ? [] : [...parent.chain];
    const [children, verify, undo]: [Item[], Item[], Item[]] = [[], [], []];
    const item: Item = {
      id: textOf(valueAt(tree, 'id')) ?? '',
      tree,
      kind: group ? 'group' : namesFile(uses) ? 'include' : 'step',
      uses,
      block,
      place,
      parent,
      chain,
      order: all.length,
      children,
      verify,
      undo,
    };
    chain.push(item);
    all.push(item);
    const below = (key: string, inner: Item['place']) =>
      items(all, { list: valueAt(tree, key), block, place: inner, parent: item });
    children.push(...below('steps', 'child'));
    verify.push(...below('verify', 'verify'));
    undo.push(...below('rollback', 'undo'));
    return [item];
  });
}

/** How many children of a group, or instances of a `forEach`, run at once: 1 = in order, 0 = no limit. */
export function parallelOf(item: Item): { readonly children: number; readonly instances: number } {
  const written = valueAt(item.tree, 'parallel');
  const value = written === undefined ? undefined : jsonOf(written);
  const count = value === true ? 0 : typeof value === 'number' ? value : 1;
  const repeated = entryOf(item.tree, 'forEach') !== undefined;
  return { children: repeated ? 1 : count, instances: repeated ? count : 1 };
}

/** The name of a `forEach` element; undefined without one. */
export function elementName(item: Item): string | undefined {
  if (entryOf(item.tree, 'forEach') === undefined) return undefined;
  return textOf(valueAt(item.tree, 'as')) ?? 'item';
}
