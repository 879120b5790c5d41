import { undoOf } from '../plan/instance.ts';
import type { Node } from '../read/runbook.ts';
import type { Action } from './action.ts';
import { finishOf } from './decide-finish.ts';
import { settle } from './decide-settle.ts';
import { add, type View } from './decide-view.ts';
import { waitOrFinish, walk } from './decide-walk.ts';
import { ownerOf } from './evolve-container.ts';
import { type Instance, isUndoClosed, tookEffect } from './state.ts';
import {
  containerIn,
  irreversible,
  isComplete,
  requireNode,
  rootContents,
  undoContents,
} from './structure.ts';
import { get } from './table.ts';

/**
 * The way back: what is in flight is observed first; then everything that took effect is undone, newest first, one at a time; then the
 * `rollback` block, when anything took effect; then the preconditions again.
 */
export function decideRollback(view: View): readonly Action[] {
  const { plan, state } = view;
  settle(view);
  if (view.actions.length > 0) return view.actions;
  if (state.rollbackFailure !== undefined) return rollbackFailed(view, state.rollbackFailure);
  const next = nextUndo(view);
  if (next !== undefined) {
    undo(view, next);
    return waitOrFinish(view);
  }
  if (tookEffect(state))
    for (const root of ['@rollback', '@recheck']) {
      const contents = rootContents(plan, root);
      if (isComplete(containerIn(state, root), contents)) continue;
      walk(view, contents);
      return waitOrFinish(view);
    }
  return state.inFlight.size > 0 ? [] : [finishOf(view, 'rolled-back')];
}

function rollbackFailed(
  view: View,
  failure: { readonly id: string; readonly error: { readonly message: string; readonly code: string } },
): readonly Action[] {
  if (view.state.inFlight.size > 0) return [];
  const next = nextUndo(view);
  // A failure among the steps that undo something is a failure of that undo.
  if (next !== undefined && failure.id.startsWith(`${undoOf(next.id)}/`)) {
    fail(view, next.id, { code: 'undo-step-failed', why: `${failure.id}: ${failure.error.message}` });
    return view.actions;
  }
  return [finishOf(view, 'rollback-failed')];
}

/** The newest effect that is not undone yet. What a group's or an include's own `rollback` covers is left to that. */
function nextUndo(view: View): Instance | undefined {
  for (let rest = view.state.undoing; rest !== undefined; rest = rest.next) {
    const instance = get(view.state.instances, rest.id);
    if (instance === undefined || !instance.took || isUndoClosed(instance)) continue;
    if (isCovered(view, instance)) continue;
    if (instance.effect !== undefined) return instance;
    const node = requireNode(view.plan, rest.id);
    // The expansion of a forEach shares its node with its elements; each element is undone by itself.
    if (instance.items !== undefined) continue;
    if (irreversible(node) !== undefined || undoContents(view.plan, rest.id).count > 0) return instance;
  }
  return undefined;
}

function isCovered(view: View, instance: Instance): boolean {
  for (let above = ownerOf(instance.parent); above !== undefined; ) {
    const owner = get(view.state.instances, above);
    if (owner === undefined) return false;
    if (owner.items === undefined && owner.effect === undefined) {
      const node = requireNode(view.plan, above);
      if (node.kind === 'group' && node.rollback !== undefined) return true;
    }
    above = ownerOf(owner.parent);
  }
  return false;
}

function undo(view: View, instance: Instance): void {
  const { id } = instance;
  if (view.state.inFlight.has(id)) return;
  if (instance.undo === 'intended' || instance.undo === 'returned' || instance.undo === 'doubtful') {
    add(view, { type: 'observe', phase: 'undo', key: `observe:${id}`, id });
    return;
  }
  const own = undoContents(view.plan, id);
  const instead = notUndone(requireNode(view.plan, id), instance, own.count);
  if (instead !== undefined) add(view, { type: 'undo', key: `undo:${id}`, id, ...instead });
  else if (own.count === 0) undoByType(view, instance);
  else if (!isComplete(containerIn(view.state, own.id), own)) walk(view, own);
  else add(view, { type: 'undo', part: 'close', key: `undo:${id}`, id });
}

function undoByType(view: View, { id, retryAt, undoFailures }: Instance): void {
  if (undoFailures > 0 && retryAt !== undefined && retryAt > view.now)
    add(view, { type: 'sleep-until', key: `sleep:${id}`, id, until: retryAt });
  else add(view, { type: 'undo', part: 'type', key: `undo:${id}`, id });
}

interface NotUndone {
  readonly part: 'skip' | 'fail';
  readonly code: string;
  readonly why: string;
}

/** Why something that took effect is left as it is; undefined: it is undone. */
function notUndone(node: Node, instance: Instance, ownSteps: number): NotUndone | undefined {
  const kept = irreversible(node);
  if (kept !== undefined) return { part: 'skip', code: 'irreversible', why: kept };
  if (instance.markedDone)
    return { part: 'skip', code: 'marked-done', why: 'it was marked as done by hand: undo it by hand' };
  if (instance.observed?.state === 'conflict') {
    const why = `somebody else has changed it since: ${instance.observed.evidence}`;
    return { part: 'fail', code: 'conflict', why };
  }
  const empty = ownSteps === 0 && (instance.effect === undefined || Array.isArray(node.rollback));
  return empty ? { part: 'skip', code: 'nothing-to-undo', why: 'its rollback holds no steps' } : undefined;
}

function fail(view: View, id: string, because: Omit<NotUndone, 'part'>): void {
  add(view, { type: 'undo', part: 'fail', key: `undo:${id}`, id, ...because });
}
