import type { Plan } from '../plan/plan.ts';
import type { Action } from './action.ts';
import type { RunState } from './state.ts';

/** Something that only the outside can answer: a human, a time, a window. */
export interface Blocked {
  readonly id: string;
  readonly why: string;
}

/** One decision being made: what was found startable, and what stands in the way of the rest. */
export interface View {
  readonly plan: Plan;
  readonly state: RunState;
  readonly now: number;
  readonly actions: Action[];
  readonly blocked: Blocked[];
}

export function viewOf(plan: Plan, state: RunState, now: number): View {
  return { plan, state, now, actions: [], blocked: [] };
}

/** At most one action works on an instance. */
export function add(view: View, action: Action): void {
  if (!view.state.inFlight.has(action.id)) view.actions.push(action);
}
