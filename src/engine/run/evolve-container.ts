import { type Container, emptyContainer, type Instance, type RunState, type Taken } from './state.ts';
import { get, set } from './table.ts';

/** The instance that a container belongs to; undefined for the root blocks. */
export function ownerOf(container: string): string | undefined {
  return container.startsWith('@') && !container.includes('/')
    ? undefined
    : container.replace(/~(?:verify|undo)$/, '');
}

export function putInstance(state: RunState, instance: Instance): RunState {
  return { ...state, instances: set(state.instances, instance.id, instance) };
}

/** Changes a known instance; an event about an unknown one changes nothing. */
export function update(state: RunState, id: string, changes: Partial<Instance>): RunState {
  const instance = get(state.instances, id);
  return instance === undefined ? state : putInstance(state, { ...instance, ...changes });
}

export function updateContainer(state: RunState, id: string, changes: Partial<Container>): RunState {
  const container = get(state.containers, id) ?? emptyContainer;
  return { ...state, containers: set(state.containers, id, { ...container, ...changes }) };
}

/** A new instance: counted in its container, and open there. */
export function enter(state: RunState, instance: Instance): RunState {
  const container = get(state.containers, instance.parent) ?? emptyContainer;
  return updateContainer(putInstance(state, instance), instance.parent, {
    started: container.started + 1,
    open: [...container.open, instance.id],
  });
}

/** Nothing more happens to it: its container goes on. */
export function close(state: RunState, id: string, end: { applied: boolean; failed: boolean }): RunState {
  const parent = get(state.instances, id)?.parent;
  const container = parent === undefined ? undefined : get(state.containers, parent);
  if (parent === undefined || container === undefined || !container.open.includes(id)) return state;
  return updateContainer(state, parent, {
    open: container.open.filter((other) => other !== id),
    finished: container.finished + 1,
    applied: container.applied || end.applied,
    failures: container.failures + (end.failed ? 1 : 0),
  });
}

/** Its effect took place, wholly or in part: it will be undone by a rollback, before everything that took effect earlier. */
export function take(state: RunState, id: string): RunState {
  const instance = get(state.instances, id);
  if (instance === undefined || instance.took) return state;
  let next = update(state, id, { took: true });
  if (instance.block === 'rollback') return next;
  const untouched = [id];
  for (let at = ownerOf(instance.parent); at !== undefined; ) {
    const owner = get(next.instances, at);
    if (owner === undefined) break;
    if (owner.effect === undefined && !owner.took) untouched.push(at);
    at = ownerOf(owner.parent);
  }
  for (const touched of untouched.reverse()) {
    next = update(next, touched, { took: true });
    next = {
      ...next,
      taken: push(next.taken, touched),
      undoing: next.mode === 'rollback' ? push(next.undoing, touched) : next.undoing,
    };
  }
  return next;
}

function push(list: Taken | undefined, id: string): Taken {
  return { id, next: list };
}
