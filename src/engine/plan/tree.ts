import type { IncludeNode, Node } from '../read/runbook.ts';
import { parseInstance, type Segment, type Separator } from './instance.ts';
import type { BlockName, Plan } from './plan.ts';

/** A node's place in its document. */
export interface Entry {
  readonly node: Node;
  readonly block: BlockName;
  /** How its id follows its parent's instance id; '' at the root of a plan. */
  readonly separator: Separator | '';
  /** Undefined at the root of its document. */
  readonly parent: Entry | undefined;
  /** From the document's root down to this one. */
  readonly chain: readonly Entry[];
  /** Of an include: the ids of its document. */
  readonly inner: Document | undefined;
}

/** Every id of one document, whatever its depth; ids are unique there. */
export type Document = ReadonlyMap<string, Entry>;

export interface Step {
  readonly entry: Entry;
  readonly segment: Segment;
}

/** An instance's way through the documents around it, outermost first. */
export interface Level {
  readonly document: Document;
  /** The instance id of the include that this document is; '' for the plan's own. */
  readonly prefix: string;
  readonly include: IncludeNode | undefined;
  readonly steps: readonly Step[];
}

const documents = new WeakMap<object, Document>();

/** The index of a plan's blocks; built once for each `blocks` object. */
export function documentOf(plan: Pick<Plan, 'blocks'>): Document {
  const known = documents.get(plan.blocks);
  if (known !== undefined) return known;
  const document = new Map<string, Entry>();
  const blocks = plan.blocks;
  for (const block of ['preconditions', 'steps', 'verifications', 'rollback'] as const)
    add(document, blocks[block], { block, separator: '', parent: undefined });
  documents.set(plan.blocks, document);
  return document;
}

/** Every step type that a run of the plan may come to, undo steps included. */
export function typesOf(plan: Pick<Plan, 'blocks'>): ReadonlySet<string> {
  const types = new Set<string>();
  const pending = [documentOf(plan)];
  for (let document = pending.pop(); document !== undefined; document = pending.pop())
    for (const { node, inner } of document.values()) {
      if (node.kind === 'step') types.add(node.uses);
      if (inner !== undefined) pending.push(inner);
    }
  return types;
}

export interface Located {
  /** Outermost document first. */
  readonly levels: readonly Level[];
  readonly recheck: boolean;
  /** The id names a container, not a node. */
  readonly inside: boolean;
}

/** The documents and nodes that an instance id leads through; undefined when there is no such instance in this plan. */
export function locate(plan: Pick<Plan, 'blocks'>, instance: string): Located | undefined {
  const parsed = parseInstance(instance);
  if (parsed === undefined) return undefined;
  const levels: Level[] = [];
  let level: { document: Document; prefix: string; include: IncludeNode | undefined; steps: Step[] } = {
    document: documentOf(plan),
    prefix: '',
    include: undefined,
    steps: [],
  };
  for (const segment of parsed.segments) {
    const last = level.steps.at(-1);
    if (last?.entry.inner !== undefined && last.entry.node.kind === 'include') {
      levels.push(level);
      const prefix = last.segment.instance;
      level = { document: last.entry.inner, prefix, include: last.entry.node, steps: [] };
    }
    const entry = level.document.get(segment.id);
    if (entry === undefined || entry.separator !== segment.separator) return undefined;
    if (entry.parent !== level.steps.at(-1)?.entry) return undefined;
    if (segment.key !== undefined && entry.node.forEach === undefined) return undefined;
    level.steps.push({ entry, segment });
  }
  levels.push(level);
  const last = level.steps.at(-1);
  if (parsed.inside && last?.entry.inner !== undefined && last.entry.node.kind === 'include') {
    const prefix = last.segment.instance;
    levels.push({ document: last.entry.inner, prefix, include: last.entry.node, steps: [] });
  }
  return { levels, recheck: parsed.recheck, inside: parsed.inside };
}

interface Place {
  readonly block: BlockName;
  readonly separator: Separator | '';
  readonly parent: Entry | undefined;
}

function add(document: Map<string, Entry>, nodes: readonly Node[], place: Place): void {
  for (const node of nodes) {
    const chain: Entry[] = place.parent === undefined ? [] : [...place.parent.chain];
    const inner = node.kind === 'include' ? innerOf(node, place.block) : undefined;
    const entry: Entry = { node, ...place, chain, inner };
    chain.push(entry);
    document.set(node.id, entry);
    if (node.kind === 'group') add(document, node.children, { ...place, separator: '/', parent: entry });
    if (node.kind === 'step' && node.verify !== undefined)
      add(document, node.verify, { ...place, separator: '~verify/', parent: entry });
    if (node.kind !== 'include' && Array.isArray(node.rollback))
      add(document, node.rollback, { block: 'rollback', separator: '~undo/', parent: entry });
  }
}

function innerOf(node: IncludeNode, block: BlockName): Document {
  const document = new Map<string, Entry>();
  for (const nodes of [node.preconditions, node.children, node.verifications])
    add(document, nodes, { block, separator: '/', parent: undefined });
  add(document, node.rollback, { block: 'rollback', separator: '~undo/', parent: undefined });
  return document;
}
