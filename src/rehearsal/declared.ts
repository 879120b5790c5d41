import type { RunEvent } from '../engine/run/event.ts';
import { requireNode } from '../engine/run/structure.ts';
import type { Stage } from './stage.ts';

type Known = Pick<Stage, 'plan' | 'steps'>;

/** What runbook or step type say that a step leaves; undefined when all of it is to be undone. */
function declaredBy({ plan, steps }: Known, id: string): string | undefined {
  const node = requireNode(plan, id);
  const { rollback } = node;
  if (rollback !== undefined && !Array.isArray(rollback))
    return (rollback as { readonly irreversible: string }).irreversible;
  const type = node.kind === 'step' && rollback === undefined ? steps.get(node.uses) : undefined;
  return type?.effect === 'change' && typeof type.undo === 'object' ? type.undo.irreversible : undefined;
}

function isInside(id: string, above: string): boolean {
  return id.startsWith(above) && /^[/~[]/.test(id.slice(above.length));
}

/** By instance, why its effect is left: said at the step, at a group around it, or where a rollback met it. */
export function declared(known: Known, events: readonly RunEvent[]): ReadonlyMap<string, string> {
  const ids = events.flatMap((event) => (event.type === 'intended' && !event.undo ? [event.id] : []));
  const skipped = events.flatMap((event) =>
    event.type === 'undo-skipped' && event.irreversible ? [[event.id, event.why] as const] : [],
  );
  const found = new Map<string, string>();
  for (const id of new Set(ids)) {
    const above = skipped.find(([group]) => group === id || isInside(id, group))?.[1];
    const why = above ?? declaredBy(known, id);
    if (why !== undefined) found.set(id, why);
  }
  return found;
}
