import type { RunEvent } from '../engine/run/event.ts';
import type { Sandbox } from '../sandbox/open.ts';
import { differences, type Flat, flatten, placeOf } from './compare.ts';
import type { RehearsedStep } from './rehearsal.ts';

/** What an undisturbed run and its rollback show: which changing steps there are, and what each of them touches. */
export interface Trace {
  readonly steps: readonly RehearsedStep[];
  /** Places by instance id, as `placeOf` names them. */
  readonly touched: ReadonlyMap<string, ReadonlySet<string>>;
}

export interface Tracer extends Trace {
  onEvent(event: RunEvent, sandbox: Sandbox): void;
}

/** Sees each changing step begin and end, and compares. Of steps that run at the same time each is charged with what happens meanwhile. */
export function createTracer(): Tracer {
  const steps: RehearsedStep[] = [];
  const names = new Map<string, { readonly name: string; readonly uses: string }>();
  const touched = new Map<string, Set<string>>();
  const open = new Map<string, Flat>();
  let backwards = false;
  let last: { readonly id: string; readonly flat: Flat } | undefined;
  const charge = (id: string, from: Flat, to: Flat): void => {
    const places = touched.get(id) ?? new Set<string>();
    for (const each of differences(from, to)) places.add(placeOf(each));
    touched.set(id, places);
  };
  /** What happens between two steps is what the first of them set going. */
  const gap = (flat: Flat): void => {
    if (last !== undefined) charge(last.id, last.flat, flat);
    last = undefined;
  };
  const end = (id: string, sandbox: Sandbox): void => {
    const before = open.get(id);
    if (before === undefined) return;
    const flat = flatten(sandbox.inspect.fields());
    charge(id, before, flat);
    open.delete(id);
    last = { id, flat };
  };
  return {
    steps,
    touched,
    onEvent(event, sandbox) {
      if (event.type === 'rollback-started') backwards = true;
      if (event.type === 'evaluated') names.set(event.id, { name: event.name, uses: event.uses ?? '' });
      if (event.type === 'intended' && !event.undo) {
        const { id } = event;
        if (!steps.some((step) => step.id === id))
          steps.push({ id, undo: backwards, ...(names.get(id) ?? { name: id, uses: '' }) });
        const flat = flatten(sandbox.inspect.fields());
        gap(flat);
        open.set(id, flat);
      }
      if (event.type === 'run-finished') gap(flatten(sandbox.inspect.fields()));
      if (event.type === 'done' || event.type === 'failed') end(event.id, sandbox);
    },
  };
}
