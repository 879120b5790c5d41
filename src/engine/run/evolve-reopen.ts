import { emptyContainer, type Instance, type RunState, type Stage, type UndoStage } from './state.ts';
import { entries, get, set } from './table.ts';

/**
 * What stopped the run gets another chance: failures are tried again from the last safe place, unknown outcomes are observed again.
 * Called when a run continues, and when a human answers 'retry'.
 */
export function reopen(state: RunState): RunState {
  let instances = state.instances;
  for (const id of state.halted) {
    const instance = get(instances, id);
    if (instance !== undefined) instances = set(instances, id, reopened(instance));
  }
  return {
    ...state,
    instances,
    containers: recheckAgain(state),
    halted: [],
    failure: undefined,
    rollbackFailure: undefined,
    unknown: undefined,
  };
}

/** What did not hold after a rollback may hold by now: all preconditions are looked at again. */
function recheckAgain({ containers }: RunState): RunState['containers'] {
  if ((get(containers, '@recheck')?.failures ?? 0) === 0) return containers;
  return entries(containers)
    .filter(([id]) => id === '@recheck' || id.startsWith('@recheck/'))
    .reduce((all, [id]) => set(all, id, emptyContainer), containers);
}

function reopened(instance: Instance): Instance {
  const { error, handling, retryAt, lastError, undoError, pollUntil, ...rest } = instance;
  return {
    ...rest,
    stage: stageAgain(instance),
    failures: 0,
    undo: undoAgain(instance.undo, instance.undoAttempts),
    undoFailures: 0,
  };
}

function stageAgain(instance: Instance): Stage {
  if (instance.stage === 'unknown') return 'doubtful';
  if (instance.stage !== 'failed') return instance.stage;
  if (instance.effect !== 'change' || instance.attempts === 0) return 'entered';
  if (instance.observed?.state === 'not-applied') return 'captured';
  return instance.observed?.state === 'applied' ? 'applied' : 'doubtful';
}

function undoAgain(stage: UndoStage, attempts: number): UndoStage {
  if (stage === 'unknown') return 'doubtful';
  if (stage !== 'failed') return stage;
  return attempts === 0 ? 'none' : 'doubtful';
}
