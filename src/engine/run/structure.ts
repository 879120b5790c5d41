import { childOf, itemOf, parseInstance, undoOf, verifyOf } from '../plan/instance.ts';
import type { BlockName, Forecast, Plan } from '../plan/plan.ts';
import { nodeOf } from '../plan/scope.ts';
import type { IncludeNode, Node } from '../read/runbook.ts';
import { type Container, emptyContainer, type RunState } from './state.ts';
import { get } from './table.ts';

/** `parallel: true` means "no limit of mine"; an API server and a terminal still have one. */
export const mostAtOnce = 64;

/** What a container holds and how many of its children may be open at once. */
export interface Contents {
  readonly id: string;
  readonly count: number;
  readonly limit: number;
  child(index: number): { readonly id: string; readonly element?: string } | undefined;
}

const blockOf: Readonly<Record<string, BlockName>> = {
  '@preconditions': 'preconditions',
  '@steps': 'steps',
  '@verifications': 'verifications',
  '@rollback': 'rollback',
  '@recheck': 'preconditions',
};

export function rootContents(plan: Plan, root: string): Contents {
  return contentsOf(root, plan.blocks[blockOf[root] ?? 'steps'], 1);
}

/** Of a group, an include or an expansion. */
export function innerContents(plan: Plan, state: RunState, id: string): Contents {
  const node = requireNode(plan, id);
  const items = get(state.instances, id)?.items;
  if (items !== undefined)
    return {
      id,
      count: items.length,
      limit: atOnce(node.forEach?.parallel ?? 1),
      child(index) {
        const key = items[index]?.key;
        return key === undefined ? undefined : { id: itemOf(id, key), element: key };
      },
    };
  if (node.kind === 'group') return contentsOf(id, node.children, atOnce(node.parallel));
  if (node.kind === 'include') return contentsOf(id, includeChildren(node), 1);
  return contentsOf(id, [], 1);
}

export function verifyContents(plan: Plan, id: string): Contents {
  const node = requireNode(plan, id);
  return contentsOf(verifyOf(id), node.kind === 'step' ? (node.verify ?? []) : [], 1);
}

/** What an author wrote to undo it, instead of the step type's own way; for an include its `rollback` block. */
export function undoContents(plan: Plan, id: string): Contents {
  const nodes = requireNode(plan, id).rollback;
  return contentsOf(undoOf(id), isNodes(nodes) ? nodes : [], 1);
}

/** Why nothing of it is undone. */
export function irreversible({ rollback }: Node): string | undefined {
  return rollback === undefined || isNodes(rollback) || rollback.undo === true
    ? undefined
    : rollback.irreversible;
}

export function containerIn(state: RunState, id: string): Container {
  return get(state.containers, id) ?? emptyContainer;
}

export function isComplete(container: Container, contents: Contents): boolean {
  if (container.open.length > 0) return false;
  return container.aborted || container.finished >= contents.count;
}

export function requireNode(plan: Pick<Plan, 'blocks'>, id: string): Node {
  const found = nodeOf(plan, id);
  if (found === undefined) throw new RangeError(`the plan holds no step "${id}"`);
  return found.node;
}

/** 'all/restart' for 'all[nvcf]/restart[a]': the same for all instances of one node. */
export function nodePath(id: string): string {
  const parsed = parseInstance(id);
  if (parsed === undefined) return id;
  const path = parsed.segments.map((segment) => `${segment.separator}${segment.id}`).join('');
  return parsed.recheck ? `@recheck/${path}` : path;
}

const forecasts = new WeakMap<Plan, ReadonlyMap<string, Forecast>>();

/** What the plan said about an instance. */
export function forecastOf(plan: Plan, id: string): Forecast | undefined {
  let known = forecasts.get(plan);
  if (known === undefined) {
    known = new Map(plan.forecast.map((forecast) => [forecast.id, forecast]));
    forecasts.set(plan, known);
  }
  return known.get(id);
}

const changing = new WeakMap<Plan, boolean>();

/** Whether a run of this plan may change anything on its way forward. */
export function mayChange(plan: Plan): boolean {
  const known = changing.get(plan) ?? plan.blocks.steps.some(changes);
  changing.set(plan, known);
  return known;
}

function changes(node: Node): boolean {
  if (node.kind === 'step') return node.effect === 'change';
  return (node.kind === 'include' ? includeChildren(node) : node.children).some(changes);
}

const includes = new WeakMap<IncludeNode, readonly Node[]>();

function includeChildren(node: IncludeNode): readonly Node[] {
  const known = includes.get(node) ?? [...node.preconditions, ...node.children, ...node.verifications];
  includes.set(node, known);
  return known;
}

function contentsOf(id: string, nodes: readonly Node[], limit: number): Contents {
  return {
    id,
    count: nodes.length,
    limit,
    child(index) {
      const node = nodes[index];
      return node === undefined ? undefined : { id: childOf(id, node.id) };
    },
  };
}

function isNodes(rollback: Node['rollback']): rollback is readonly Node[] {
  return Array.isArray(rollback);
}

function atOnce(parallel: number): number {
  return parallel === 0 ? mostAtOnce : Math.min(parallel, mostAtOnce);
}
