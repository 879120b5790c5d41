import type { Action } from './action.ts';
import { ask } from './ask.ts';
import { closeContainer, enter } from './evaluate.ts';
import { finish } from './finish.ts';
import { capture, performChange, verify } from './perform-change.ts';
import { observe } from './perform-observe.ts';
import { performRead } from './perform-read.ts';
import { undo } from './perform-undo.ts';
import type { Runtime } from './runtime.ts';
import { get } from './table.ts';

/** Carries out one action; what came of it is in the events it recorded. Throws only what is no failure of a step. */
export async function perform(runtime: Runtime, action: Action): Promise<void> {
  switch (action.type) {
    case 'evaluate':
      return action.part === 'enter' ? enter(runtime, action) : closeContainer(runtime, action.id);
    case 'capture':
      return capture(runtime, action.id);
    case 'observe':
      return observe(runtime, action.id, action.phase);
    case 'perform':
      return get(runtime.state().instances, action.id)?.effect === 'change'
        ? performChange(runtime, action.id)
        : performRead(runtime, action.id);
    case 'verify':
      return verify(runtime, action.id);
    case 'sleep-until':
      return runtime.clock.sleep(action.until - runtime.clock.now(), runtime.halting);
    case 'ask':
      return ask(runtime, action);
    case 'undo':
      return undo(runtime, action);
    case 'finish':
      return finish(runtime, action);
  }
}
