import { verifyOf } from '../plan/instance.ts';
import type { Action } from './action.ts';
import { finishOf, waitingFor } from './decide-finish.ts';
import { add, type View } from './decide-view.ts';
import { changeWindow } from './decide-window.ts';
import { type Instance, isClosed, type RunState } from './state.ts';
import { type Contents, containerIn, innerContents, isComplete, verifyContents } from './structure.ts';
import { get } from './table.ts';

/** Goes on with what is open in a container and starts what may start; visits open instances only. */
export function walk(view: View, contents: Contents): void {
  const container = containerIn(view.state, contents.id);
  for (const id of container.open) {
    const instance = get(view.state.instances, id);
    if (instance !== undefined && !view.state.inFlight.has(id)) goOn(view, instance);
  }
  if (container.aborted || container.open.length >= contents.limit) return;
  const next = contents.child(container.started);
  if (next === undefined) return;
  add(view, {
    type: 'evaluate',
    part: 'enter',
    key: `evaluate:${next.id}`,
    parent: contents.id,
    ...next,
  });
}

function goOn(view: View, instance: Instance): void {
  const { id } = instance;
  if (isClosed(instance) || instance.stage === 'failed') return;
  if (instance.incomplete) {
    add(view, { type: 'evaluate', part: 'enter', key: `evaluate:${id}`, id, parent: instance.parent });
    return;
  }
  if (instance.effect === undefined) {
    const contents = innerContents(view.plan, view.state, id);
    if (!isComplete(containerIn(view.state, id), contents)) walk(view, contents);
    else add(view, { type: 'evaluate', part: 'close', key: `close:${id}`, id });
    return;
  }
  leaf(view, instance);
}

function leaf(view: View, instance: Instance): void {
  const { id, stage } = instance;
  if (stage === 'applied') {
    verify(view, id);
    return;
  }
  if (stage === 'intended' || stage === 'returned' || stage === 'doubtful') {
    add(view, { type: 'observe', phase: 'after', key: `observe:${id}`, id });
    return;
  }
  if (instance.confirm !== undefined && !instance.confirmed) {
    if (!canAsk(view.state) || instance.askedIn === view.state.sessions) {
      view.blocked.push({ id, why: unanswered(view.state, instance.name) });
      return;
    }
    add(view, {
      type: 'ask',
      kind: 'confirm',
      key: `ask:${id}`,
      id,
      question: instance.confirm,
      choices: ['yes', 'no'],
    });
    return;
  }
  if (instance.effect === 'read') perform(view, instance);
  else if (stage === 'entered') add(view, { type: 'capture', key: `capture:${id}`, id });
  else if (stage === 'captured') look(view, instance);
  else if (fresh(view, instance)) perform(view, instance);
  // The world may have moved since another session looked.
  else add(view, { type: 'capture', key: `capture:${id}`, id });
}

function look(view: View, instance: Instance): void {
  const { id, retryAt, attempts } = instance;
  if (attempts > 0 && retryAt !== undefined && retryAt > view.now)
    add(view, { type: 'sleep-until', key: `sleep:${id}`, id, until: retryAt });
  else if (!fresh(view, instance)) add(view, { type: 'capture', key: `capture:${id}`, id });
  else add(view, { type: 'observe', phase: attempts > 0 ? 'after' : 'before', key: `observe:${id}`, id });
}

/** Whether somebody, or `--yes`, can answer a `confirm` or the risk question. */
export function canAsk(state: RunState): boolean {
  return state.interactive || state.assumeYes;
}

export function unanswered(state: RunState, what: string): string {
  return `"${what}" asks for a confirmation. At a terminal, or with --yes: runbook resume ${state.run}`;
}

function fresh(view: View, instance: Instance): boolean {
  return instance.attempts > 0 || instance.capturedIn === view.state.sessions;
}

function perform(view: View, instance: Instance): void {
  const { id, suspended, retryAt } = instance;
  if (suspended?.approval !== undefined && instance.approved === undefined) {
    if (view.state.interactive && instance.askedIn !== view.state.sessions)
      add(view, {
        type: 'ask',
        kind: 'confirm',
        key: `approve:${id}`,
        id,
        question: suspended.approval.text,
        choices: ['approve', 'later'],
      });
    else view.blocked.push(waitingFor(view.state, instance));
    return;
  }
  const until = Math.max(suspended?.until ?? 0, retryAt ?? 0);
  if (until > view.now) {
    const holds = retryAt === until || view.state.sandbox || until - view.now <= view.state.hold;
    if (holds) add(view, { type: 'sleep-until', key: `sleep:${id}`, id, until });
    else view.blocked.push(waitingFor(view.state, instance));
    return;
  }
  const closed = instance.effect === 'change' ? changeWindow(view, instance) : undefined;
  if (closed === undefined) add(view, { type: 'perform', key: `perform:${id}`, id });
  else view.blocked.push({ id, why: closed });
}

function verify(view: View, id: string): void {
  const contents = verifyContents(view.plan, id);
  if (isComplete(containerIn(view.state, verifyOf(id)), contents))
    add(view, { type: 'verify', key: `verify:${id}`, id });
  else walk(view, contents);
}

/** What was found; or nothing while something is in flight; or the end, when everything that is left waits for the outside. */
export function waitOrFinish(view: View): readonly Action[] {
  if (view.actions.length > 0 || view.state.inFlight.size > 0) return view.actions;
  return [finishOf(view, view.blocked.length > 0 ? 'blocked' : 'stuck')];
}
