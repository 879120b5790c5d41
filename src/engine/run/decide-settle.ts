import { verifyOf } from '../plan/instance.ts';
import { add, type View } from './decide-view.ts';
import { isUnresolved } from './state.ts';
import { containerIn } from './structure.ts';
import { get } from './table.ts';

/** Observes every change that was intended and whose outcome is not known; starts nothing else. */
export function settle(view: View): void {
  for (const root of ['@preconditions', '@steps', '@verifications']) settleIn(view, root);
}

function settleIn(view: View, container: string): void {
  for (const id of containerIn(view.state, container).open) {
    const instance = get(view.state.instances, id);
    if (instance === undefined) continue;
    if (instance.effect === undefined) settleIn(view, id);
    else if (instance.effect === 'change' && isUnresolved(instance))
      add(view, { type: 'observe', phase: 'after', key: `observe:${id}`, id });
    else settleIn(view, verifyOf(id));
  }
}
