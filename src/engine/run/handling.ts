import type { Plan } from '../plan/plan.ts';
import type { JournaledEvent, RunError } from './event.ts';
import { ownerOf } from './evolve-container.ts';
import type { Runtime } from './runtime.ts';
import type { RunState } from './state.ts';
import { requireNode } from './structure.ts';
import { get } from './table.ts';

export interface Handling {
  readonly handling: 'stop' | 'rollback' | 'continue' | 'ask';
  /** The instance whose `onFailure` says so. */
  readonly by?: string;
}

/** What a failure of this instance means: its own `onFailure`, or that of the nearest thing around it, or the default. */
export function handlingOf(plan: Plan, state: RunState, id: string): Handling {
  if (id.startsWith('@recheck/')) return { handling: 'continue', by: id };
  const block = get(state.instances, id)?.block;
  for (let at: string | undefined = id; at !== undefined; ) {
    const policy = requireNode(plan, at).onFailure;
    if (policy !== undefined && !(policy === 'rollback' && block === 'rollback'))
      return { handling: policy, by: at };
    const parent: string = get(state.instances, at)?.parent ?? '@steps';
    // What undoes a step answers for itself: the step's own policy was for the way forward.
    at = parent.endsWith('~undo') ? undefined : ownerOf(parent);
  }
  const asks =
    state.interactive && state.mode === 'forward' && (block === 'steps' || block === 'verifications');
  return { handling: asks ? 'ask' : 'stop' };
}

/** A failure as it is recorded, with what follows from it. */
export function failedEvent(
  runtime: Runtime,
  id: string,
  error: RunError,
): Extract<JournaledEvent, { type: 'failed' }> {
  // Whoever is not let in any more cannot undo anything either: a human logs in again, then goes on or back.
  const handling: Handling =
    error.code === 'unauthorized' ? { handling: 'stop' } : handlingOf(runtime.plan, runtime.state(), id);
  return { type: 'failed', id, error, ...handling };
}
