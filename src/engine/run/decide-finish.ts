import { exitCodes } from '../../exit-code.ts';
import type { ActionOf } from './action.ts';
import type { Blocked, View } from './decide-view.ts';
import type { Outcome } from './event.ts';
import { type Instance, type RunState, tookEffect } from './state.ts';
import { containerIn, mayChange } from './structure.ts';
import { entries, get } from './table.ts';

export type Ending =
  | 'end'
  | 'blocked'
  | 'stuck'
  | 'declined'
  | 'interrupted'
  | 'lock-lost'
  | 'unknown'
  | 'failed'
  | 'rollback-failed'
  | 'rolled-back';

interface Verdict {
  readonly outcome: Outcome;
  readonly exitCode: number;
  readonly text: string;
}

/** The last action of a session: what came of it, in the words and the code of the public table. */
export function finishOf(view: View, ending: Ending): ActionOf<'finish'> {
  return { type: 'finish', key: 'finish', id: '@run', ...verdictOf(view, ending) };
}

export function waitingFor(state: RunState, instance: Instance): Blocked {
  const { id, suspended } = instance;
  if (suspended?.approval !== undefined)
    return {
      id,
      why: `"${instance.name}" waits for an approval: ${suspended.approval.text}. Answer with: runbook approve ${state.run} ${id} --reason TEXT`,
    };
  const until = new Date(suspended?.until ?? 0).toISOString();
  return { id, why: `"${instance.name}" waits until ${until}. Then: runbook resume ${state.run}` };
}

function verdictOf(view: View, ending: Ending): Verdict {
  const { state } = view;
  switch (ending) {
    case 'end':
      return ended(state);
    case 'blocked':
      return {
        outcome: 'waiting',
        exitCode: exitCodes.waiting,
        text: view.blocked.map((blocked) => blocked.why).join('\n'),
      };
    case 'stuck':
      return {
        outcome: state.mode === 'rollback' ? 'rollback-incomplete' : 'failed',
        exitCode: exitCodes.internal,
        text: 'internal error: nothing is left to start, yet the run has not come to its end',
      };
    case 'declined':
      return {
        outcome: 'interrupted',
        exitCode: exitCodes.interrupted,
        text: 'declined; nothing was changed',
      };
    case 'interrupted':
      return {
        outcome: 'interrupted',
        exitCode: exitCodes.interrupted,
        text: `interrupted by ${state.signal ?? 'a signal'}. Go on with: runbook resume ${state.run}; or back with: runbook rollback ${state.run}`,
      };
    case 'lock-lost':
      return lockLost(state);
    case 'unknown':
      return {
        outcome: 'unknown',
        exitCode: exitCodes.unknown,
        text: `nobody knows whether "${nameOf(state, state.unknown?.id)}" took effect: ${withoutStop(state.unknown?.error.message ?? '')}. Look at it, then: runbook resume ${state.run}; once it is done by hand, with --mark-done ${state.unknown?.id ?? 'STEP'} --reason '…'`,
      };
    case 'failed':
      return failed(view);
    case 'rollback-failed':
      return rollbackFailed(state);
    case 'rolled-back':
      return rolledBack(state);
  }
}

function ended(state: RunState): Verdict {
  const { count, first } = state.passedOver;
  if (count === 0) return { outcome: 'done', exitCode: exitCodes.done, text: 'done' };
  const others = count === 1 ? '' : ` and ${count - 1} more`;
  return {
    outcome: 'failed',
    exitCode: exitCodes.failed,
    text: `came to its end, but "${nameOf(state, first)}"${others} failed`,
  };
}

function failed(view: View): Verdict {
  const { state, plan } = view;
  const { failure } = state;
  const name = nameOf(state, failure?.id);
  const text = `"${name}" failed: ${failure?.error.message ?? ''}`;
  if (failure?.error.code === 'stale') return { outcome: 'stale', exitCode: exitCodes.stale, text };
  if (tookEffect(state))
    return {
      outcome: 'failed',
      exitCode: exitCodes.failed,
      text: `${withoutStop(text)}. Go on with: runbook resume ${state.run}; or back with: runbook rollback ${state.run}`,
    };
  const verdict = failure?.error.code === 'expect-failed' && !mayChange(plan);
  const block = failure === undefined ? undefined : get(state.instances, failure.id)?.block;
  if (verdict && block !== 'preconditions') return { outcome: 'failed', exitCode: exitCodes.failed, text };
  return {
    outcome: 'precondition-failed',
    exitCode: exitCodes.preconditionFailed,
    text: `${withoutStop(text)}. Nothing was changed`,
  };
}

function lockLost(state: RunState): Verdict {
  const lost = `lost the lock ${state.lockLost?.lock ?? ''}: ${state.lockLost?.why ?? ''}`;
  return {
    outcome: state.mode === 'rollback' ? 'rollback-incomplete' : 'failed',
    exitCode: exitCodes.locked,
    text: `${lost}. Nothing new was started. Go on with: runbook resume ${state.run}`,
  };
}

function rollbackFailed(state: RunState): Verdict {
  const { rollbackFailure } = state;
  return {
    outcome: 'rollback-incomplete',
    exitCode: exitCodes.rollbackIncomplete,
    text: `the rollback stopped at "${nameOf(state, rollbackFailure?.id)}": ${withoutStop(rollbackFailure?.error.message ?? '')}. Then: runbook resume ${state.run}`,
  };
}

function rolledBack(state: RunState): Verdict {
  if (containerIn(state, '@recheck').failures > 0)
    return {
      outcome: 'rollback-incomplete',
      exitCode: exitCodes.rollbackIncomplete,
      text: `everything was undone that can be, but the preconditions do not hold as they did before: ${unheld(state).join(', ')}`,
    };
  if (!tookEffect(state))
    return { outcome: 'rolled-back', exitCode: exitCodes.rolledBack, text: 'there was nothing to undo' };
  return { outcome: 'rolled-back', exitCode: exitCodes.rolledBack, text: 'rolled back' };
}

function unheld(state: RunState): readonly string[] {
  return entries(state.instances)
    .filter(([id, { error }]) => id.startsWith('@recheck/') && error !== undefined)
    .map(([, { name }]) => `"${name}"`)
    .sort();
}

/** A message that is a sentence, as a part of a longer one. */
function withoutStop(message: string): string {
  return message.replace(/\.$/, '');
}

function nameOf(state: RunState, id: string | undefined): string {
  return id === undefined ? '' : (get(state.instances, id)?.name ?? id);
}
