import type { Witness } from '../step-type.ts';
import type { JournaledEvent } from './event.ts';
import { close, enter, ownerOf, putInstance, take, update, updateContainer } from './evolve-container.ts';
import { type Instance, isUnresolved, type RunState } from './state.ts';
import { get, set } from './table.ts';

type InstanceEvent = Exclude<
  JournaledEvent,
  {
    type:
      | 'run-opened'
      | 'run-continued'
      | 'tail-repaired'
      | 'locked'
      | 'lock-lost'
      | 'unlocked'
      | 'asked'
      | 'answered'
      | 'interrupted'
      | 'rollback-started'
      | 'warning'
      | 'run-finished';
  }
>;

/** What an event about one instance changes. */
export function evolveInstance(state: RunState, event: InstanceEvent, time: string): RunState {
  switch (event.type) {
    case 'evaluated':
      return evaluated(state, event);
    case 'skipped':
      return skipped(state, event);
    case 'captured':
      return update(state, event.id, {
        stage: 'captured',
        before: { state: event.before, witnesses: event.witnesses },
        capturedIn: state.sessions,
      });
    case 'observed':
      return observed(state, event);
    case 'intended':
      return intended(state, event);
    case 'checkpoint':
      return update(state, event.id, { checkpoint: event.data });
    case 'result':
      if (event.undo) return update(state, event.id, { undo: 'returned' });
      return resulted(update(state, event.id, { outputs: event.outputs }), event.id);
    case 'attempt-failed':
      return attemptFailed(state, event);
    case 'polling':
      return update(state, event.id, { pollUntil: event.deadline });
    case 'suspended':
      return update(state, event.id, {
        suspended: {
          ...(event.until === undefined ? {} : { until: event.until }),
          ...(event.approval === undefined ? {} : { approval: event.approval }),
        },
      });
    case 'approved':
      return update(state, event.id, {
        approved: { actor: event.actor, reason: event.reason, time },
      });
    case 'verified':
      return state;
    case 'done':
      return close(update(state, event.id, { stage: 'done', outputs: event.outputs }), event.id, {
        applied: event.applied,
        failed: false,
      });
    case 'failed':
      return failed(state, event);
    case 'unknown':
      return unknown(state, event);
    case 'undone':
      return undoClosed(update(state, event.id, { undo: 'undone' }), event.id);
    case 'undo-skipped':
      return undoClosed(update(state, event.id, { undo: 'skipped' }), event.id);
    case 'undo-failed':
      return {
        ...update(state, event.id, { undo: 'failed', undoError: event.error }),
        rollbackFailure: { id: event.id, error: event.error },
        halted: [...state.halted, event.id],
      };
  }
}

function evaluated(state: RunState, event: JournaledEvent & { type: 'evaluated' }): RunState {
  const isOpen = get(state.containers, event.parent)?.open.includes(event.id) === true;
  const instance: Instance = {
    id: event.id,
    parent: event.parent,
    block: event.block,
    name: event.name,
    effect: event.effect,
    ...(event.uses === undefined ? {} : { uses: event.uses }),
    ...(event.with === undefined ? {} : { with: event.with }),
    ...(event.timeout === undefined ? {} : { timeout: event.timeout }),
    ...(event.confirm === undefined ? {} : { confirm: event.confirm }),
    ...(event.items === undefined ? {} : { items: event.items }),
    incomplete: event.incomplete === true,
    stage: 'entered',
    confirmed: false,
    askedIn: 0,
    capturedIn: 0,
    attempts: 0,
    failures: 0,
    took: false,
    markedDone: false,
    undo: 'none',
    undoAttempts: 0,
    undoFailures: 0,
  };
  return isOpen ? putInstance(state, instance) : enter(state, instance);
}

function skipped(state: RunState, event: JournaledEvent & { type: 'skipped' }): RunState {
  const known = get(state.instances, event.id);
  const base: RunState =
    known === undefined ? evaluated(state, { ...event, type: 'evaluated' }) : clearFailure(state, event.id);
  const marked = event.reason === 'marked-done';
  const doubtful = known !== undefined && known.effect === 'change' && known.attempts > 0;
  const next = update(base, event.id, {
    stage: 'skipped',
    markedDone: marked,
    ...(event.outputs === undefined ? {} : { outputs: event.outputs }),
  });
  return close(marked && doubtful ? take(next, event.id) : next, event.id, { applied: false, failed: false });
}

// A step that a human finished by hand no longer stops the run.
function clearFailure(state: RunState, id: string): RunState {
  return {
    ...state,
    failure: state.failure?.id === id ? undefined : state.failure,
    unknown: state.unknown?.id === id ? undefined : state.unknown,
    rollbackFailure: state.rollbackFailure?.id === id ? undefined : state.rollbackFailure,
    halted: state.halted.filter((other) => other !== id),
  };
}

function observed(state: RunState, event: JournaledEvent & { type: 'observed' }): RunState {
  const instance = get(state.instances, event.id);
  if (instance === undefined) return state;
  const seen = { observed: { state: event.state, evidence: event.evidence } };
  // Still there: to be undone again, unless a failure follows.
  const left = event.state === 'applied' || event.partial === true || event.stuck === true;
  if (event.phase === 'undo') return left ? update(state, event.id, { undo: 'ready' }) : state;
  if (event.phase === 'before')
    return update(state, event.id, event.state === 'not-applied' ? { ...seen, stage: 'ready' } : seen);
  const outputs = event.outputs ?? instance.outputs;
  const seenAfter = { ...seen, ...(outputs === undefined ? {} : { outputs }) };
  switch (event.state) {
    case 'applied': {
      const next = update(state, event.id, { ...seenAfter, stage: 'applied' });
      return take(recordWitnesses(next, instance, event.witnesses ?? []), event.id);
    }
    case 'not-applied': {
      // Before a repetition it is looked at once more, when the pause is over.
      const later = instance.stage === 'doubtful' && instance.retryAt !== undefined;
      const stage = later ? 'captured' : 'ready';
      if (event.partial === true) return take(update(state, event.id, { ...seen, stage }), event.id);
      return update(state, event.id, { ...seen, stage, took: false });
    }
    case 'in-progress':
    case 'conflict':
      return take(update(state, event.id, seen), event.id);
    case 'unknown':
      return update(state, event.id, seen);
  }
}

function recordWitnesses(state: RunState, instance: Instance, seen: readonly Witness[]): RunState {
  let witnesses = state.witnesses;
  for (const witness of seen) witnesses = set(witnesses, witness.resource, { witness, uses: instance.uses });
  return seen.length === 0 ? state : { ...state, witnesses };
}

function intended(state: RunState, event: JournaledEvent & { type: 'intended' }): RunState {
  const shared = { operationKey: event.operationKey, deadline: event.deadline };
  return update(
    state,
    event.id,
    event.undo
      ? { ...shared, undo: 'intended', undoAttempts: event.attempt }
      : { ...shared, stage: 'intended', attempts: event.attempt },
  );
}

function resulted(state: RunState, id: string): RunState {
  const instance = get(state.instances, id);
  if (instance === undefined) return state;
  if (instance.effect === 'read') return update(state, id, { stage: 'applied' });
  return take(update(state, id, { stage: 'returned' }), id);
}

function attemptFailed(state: RunState, event: JournaledEvent & { type: 'attempt-failed' }): RunState {
  const instance = get(state.instances, event.id);
  if (instance === undefined) return state;
  const retryAt = event.retryAt === undefined ? {} : { retryAt: event.retryAt };
  const { retryAt: _, ...plain } = instance;
  const changed: Partial<Instance> = event.undo
    ? { undo: 'doubtful', undoFailures: instance.undoFailures + 1, undoError: event.error, ...retryAt }
    : {
        // A change is observed whatever it said of itself; a read simply runs again.
        stage: instance.effect === 'change' ? 'doubtful' : 'entered',
        failures: instance.failures + 1,
        lastError: event.error,
        ...retryAt,
      };
  return putInstance(state, { ...plain, ...changed });
}

function failed(state: RunState, event: JournaledEvent & { type: 'failed' }): RunState {
  const next = update(state, event.id, { stage: 'failed', error: event.error, handling: event.handling });
  if (event.handling === 'continue') return passOver(next, event, event.by ?? event.id);
  const halted = [...state.halted, event.id];
  const failure = { id: event.id, error: event.error, handling: event.handling };
  if (state.mode === 'forward') return { ...next, halted, failure: state.failure ?? failure };
  // An effect that was still in flight when the rollback began failed: it is undone like the others.
  const own = get(state.instances, event.id)?.block === 'rollback' || event.id.startsWith('@recheck');
  return own ? { ...next, halted, rollbackFailure: state.rollbackFailure ?? failure } : next;
}

// The containers between the failure and the one whose `onFailure` says `continue` start nothing new.
function passOver(state: RunState, event: JournaledEvent & { type: 'failed' }, by: string): RunState {
  const { id } = event;
  const { count, first } = state.passedOver;
  let next = close(state, id, { applied: get(state.instances, id)?.took ?? false, failed: true });
  if (event.error.code !== 'part-failed')
    next = { ...next, passedOver: { count: count + 1, first: first === '' ? id : first } };
  for (let at: string | undefined = id; at !== undefined && at !== by; ) {
    const container = get(next.instances, at)?.parent;
    if (container === undefined) break;
    next = updateContainer(next, container, { aborted: true });
    at = ownerOf(container);
  }
  return next;
}

function unknown(state: RunState, event: JournaledEvent & { type: 'unknown' }): RunState {
  const instance = get(state.instances, event.id);
  if (instance === undefined) return state;
  const undoing = instance.undo !== 'none' && !isUnresolved(instance);
  const next = update(state, event.id, undoing ? { undo: 'unknown' } : { stage: 'unknown' });
  const problem = { id: event.id, error: event.error };
  return { ...next, unknown: state.unknown ?? problem, halted: [...state.halted, event.id] };
}

function undoClosed(state: RunState, id: string): RunState {
  let rest = state.undoing;
  while (rest !== undefined && rest.id !== id) rest = rest.next;
  return { ...state, undoing: rest === undefined ? state.undoing : rest.next };
}
