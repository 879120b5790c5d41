import type { JournaledEvent, RunEvent } from './event.ts';
import { update } from './evolve-container.ts';
import { evolveInstance } from './evolve-instance.ts';
import { reopen } from './evolve-reopen.ts';
import { defaultHold, type RunState } from './state.ts';
import { get, set } from './table.ts';

/** The fold: the same for exec, resume, rollback, show and report. Never evaluates, so a replay never differs. */
export function evolve(state: RunState, event: RunEvent): RunState {
  switch (event.type) {
    case 'progress':
      return state;
    case 'action-started':
      return { ...state, inFlight: new Map(state.inFlight).set(event.id, event.key) };
    case 'action-ended': {
      const inFlight = new Map(state.inFlight);
      inFlight.delete(event.id);
      return { ...state, inFlight };
    }
    default:
      return recorded({ ...state, seq: event.seq }, event, event.time);
  }
}

function recorded(state: RunState, event: JournaledEvent, time: string): RunState {
  switch (event.type) {
    case 'run-opened':
      return {
        ...session(state, event, time),
        run: event.run,
        startedAt: time,
        user: event.session.actor.user ?? event.session.actor.osUser,
        planDigest: event.planDigest,
        sandbox: event.sandbox,
        windowEnd: event.windowEnd,
        pinned: event.pinned === true,
      };
    case 'run-continued':
      return event.mode === 'approve'
        ? { ...state, finished: undefined }
        : {
            ...reopen(session(state, event, time)),
            windowEnd: event.windowEnd ?? state.windowEnd,
            finished: undefined,
          };
    case 'lock-lost':
      return { ...state, lockLost: { lock: event.lock, why: event.why } };
    case 'interrupted':
      return { ...state, interrupts: event.count, signal: event.signal };
    case 'rollback-started':
      return {
        ...state,
        mode: 'rollback',
        undoing: state.taken,
        failure: undefined,
        interrupts: 0,
        interruptAnswer: undefined,
      };
    case 'answered':
      return answered(state, event);
    case 'run-finished': {
      const { outcome, exitCode, text, outputs } = event;
      return { ...state, finished: { outcome, exitCode, text, outputs }, inFlight: new Map() };
    }
    case 'tail-repaired':
    case 'locked':
    case 'unlocked':
    case 'warning':
      return state;
    case 'asked':
      return event.kind === 'confirm' ? update(state, event.id, { askedIn: state.sessions }) : state;
    default:
      return evolveInstance(state, event, time);
  }
}

function session(
  state: RunState,
  event: { readonly interactive: boolean; readonly assumeYes: boolean; readonly hold?: number },
  time: string,
): RunState {
  return {
    ...state,
    sessions: state.sessions + 1,
    sessionStart: Date.parse(time),
    interactive: event.interactive,
    assumeYes: event.assumeYes,
    hold: event.hold ?? defaultHold,
    inFlight: new Map(),
    interrupts: 0,
    signal: undefined,
    interruptAnswer: undefined,
    lockLost: undefined,
    riskDeclined: false,
  };
}

function answered(state: RunState, event: JournaledEvent & { type: 'answered' }): RunState {
  switch (event.kind) {
    case 'risk':
      return event.answer === 'yes' ? { ...state, riskAccepted: true } : { ...state, riskDeclined: true };
    case 'interrupt':
      return interruptAnswered(state, event.answer);
    case 'failure': {
      if (state.failure === undefined) return state;
      if (event.answer === 'retry') return reopen(state);
      return { ...state, failure: { ...state.failure, handling: event.answer } };
    }
    case 'confirm': {
      const instance = get(state.instances, event.id);
      if (instance === undefined || event.answer !== 'yes') return state;
      const instances = set(state.instances, event.id, { ...instance, confirmed: true });
      return { ...state, instances };
    }
  }
}

function interruptAnswered(state: RunState, answer: string): RunState {
  if (answer === 'stop') return { ...state, interruptAnswer: answer };
  const goesOn = { ...state, interrupts: 0, signal: undefined, interruptAnswer: undefined };
  if (answer !== 'rollback') return goesOn;
  // From here on it is like any failure that is answered with a rollback.
  const error = { code: 'interrupted', message: 'interrupted, and asked to roll back' };
  return { ...goesOn, failure: { id: '@run', error, handling: 'rollback' } };
}
