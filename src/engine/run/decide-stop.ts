import type { Action } from './action.ts';
import { finishOf } from './decide-finish.ts';
import { settle } from './decide-settle.ts';
import type { View } from './decide-view.ts';
import { type RunState, tookEffect } from './state.ts';
import { get } from './table.ts';

/** What to do when something stands against going on; undefined when nothing does. */
export function decideStopped(view: View): readonly Action[] | undefined {
  const { state } = view;
  if (state.interrupts > 0) return interrupted(view);
  if (state.lockLost !== undefined) return whenQuiet(view, () => [finishOf(view, 'lock-lost')]);
  if (state.unknown !== undefined) return whenQuiet(view, () => [finishOf(view, 'unknown')]);
  if (state.mode === 'forward' && state.failure !== undefined) return failed(view, state.failure);
  return undefined;
}

function whenQuiet(view: View, then: () => readonly Action[]): readonly Action[] {
  return view.state.inFlight.size > 0 ? [] : then();
}

function interrupted(view: View): readonly Action[] {
  const { state } = view;
  if (state.inFlight.size > 0) return [];
  // Only Ctrl-C comes from somebody who sits there; a second one asks for nothing but the end.
  const ask =
    state.interruptAnswer === undefined &&
    state.interactive &&
    state.signal === 'SIGINT' &&
    state.interrupts === 1;
  if (!ask) return [finishOf(view, 'interrupted')];
  const back = state.mode === 'forward' && tookEffect(state);
  return [
    {
      type: 'ask',
      key: 'ask:interrupt',
      id: '@run',
      kind: 'interrupt',
      question: 'Interrupted. Stop here and resume later, or go another way?',
      choices: ['stop', ...(back ? ['rollback'] : []), 'continue'],
    },
  ];
}

function failed(view: View, failure: NonNullable<RunState['failure']>): readonly Action[] {
  return settled(view, () => {
    if (failure.handling === 'rollback') return beginRollback(view);
    if (failure.handling !== 'ask') return [finishOf(view, 'failed')];
    const name = get(view.state.instances, failure.id)?.name ?? failure.id;
    return [
      {
        type: 'ask',
        key: `ask:${failure.id}`,
        id: failure.id,
        kind: 'failure',
        question: `"${name}" failed: ${failure.error.message}`,
        choices: [...(tookEffect(view.state) ? ['rollback'] : []), 'stop', 'retry'],
      },
    ];
  });
}

// Everything that was intended is observed before anybody decides what the failure means.
function settled(view: View, then: () => readonly Action[]): readonly Action[] {
  settle(view);
  if (view.actions.length > 0) return view.actions;
  return whenQuiet(view, then);
}

function beginRollback(view: View): readonly Action[] {
  if (!tookEffect(view.state)) return [finishOf(view, 'failed')];
  return [{ type: 'undo', part: 'begin', key: 'undo:begin', id: '@rollback' }];
}
