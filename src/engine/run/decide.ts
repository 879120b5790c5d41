import type { Plan } from '../plan/plan.ts';
import type { Action } from './action.ts';
import { finishOf } from './decide-finish.ts';
import { decideRollback } from './decide-rollback.ts';
import { decideStopped } from './decide-stop.ts';
import { type View, viewOf } from './decide-view.ts';
import { canAsk, unanswered, waitOrFinish, walk } from './decide-walk.ts';
import type { RunState } from './state.ts';
import { containerIn, isComplete, mayChange, rootContents } from './structure.ts';

/**
 * What may start now; nothing means: wait for what is in flight. Pure: no Node module, no clock, no randomness, so that it can be checked
 * over every interleaving and driven by something other than our own loop.
 */
export function decide(plan: Plan, state: RunState, now: number): readonly Action[] {
  if (state.sessions === 0 || state.finished !== undefined) return [];
  const view = viewOf(plan, state, now);
  return decideStopped(view) ?? (state.mode === 'rollback' ? decideRollback(view) : decideForward(view));
}

function decideForward(view: View): readonly Action[] {
  const { plan, state } = view;
  for (const root of ['@preconditions', '@steps', '@verifications']) {
    const contents = rootContents(plan, root);
    if (isComplete(containerIn(state, root), contents)) continue;
    if (root === '@steps' && risky(view)) {
      if (state.riskDeclined) return [finishOf(view, 'declined')];
      if (!canAsk(state)) {
        view.blocked.push({ id: root, why: unanswered(state, plan.runbook.title) });
        return waitOrFinish(view);
      }
      return [askRisk(view)];
    }
    walk(view, contents);
    return waitOrFinish(view);
  }
  return view.state.inFlight.size > 0 ? [] : [finishOf(view, 'end')];
}

function risky(view: View): boolean {
  const { plan, state } = view;
  return plan.runbook.risk === 'high' && mayChange(plan) && !state.riskAccepted;
}

function askRisk(view: View): Action {
  const { title } = view.plan.runbook;
  return {
    type: 'ask',
    key: 'ask:risk',
    id: '@steps',
    kind: 'risk',
    question: `The risk of "${title}" is high. Make the changes that the plan shows?`,
    choices: ['yes', 'no'],
  };
}
