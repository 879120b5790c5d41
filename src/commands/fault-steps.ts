import type { Plan } from '../engine/plan/plan.ts';
import type { Node } from '../engine/read/runbook.ts';
import { suggest } from '../engine/suggest.ts';
import { parseFault } from '../sandbox/faults.ts';
import { UsageError } from './command.ts';

function within(parent: string, nodes: readonly Node[]): readonly string[] {
  return nodes.flatMap((node) => {
    const id = parent === '' ? node.id : `${parent}/${node.id}`;
    const undo = Array.isArray(node.rollback) ? within(`${id}~undo`, node.rollback) : [];
    if (node.kind === 'step') return [id, ...within(`${id}~verify`, node.verify ?? []), ...undo];
    if (node.kind === 'group') return [...within(id, node.children), ...undo];
    return [...node.preconditions, ...node.children, ...node.verifications]
      .flatMap((inner) => within(id, [inner]))
      .concat(undo);
  });
}

/** A fault for a step that does not exist would never happen, and a rehearsal would prove nothing. Throws `UsageError`. */
export function mustNameSteps(faults: readonly string[], { blocks }: Pick<Plan, 'blocks'>): void {
  const known = Object.values(blocks).flatMap((nodes) => within('', nodes));
  for (const fault of faults) {
    const step = parseFault(fault).step.replace(/\[[^\]]*\]/g, '');
    if (known.includes(step)) continue;
    const near = suggest(step, known);
    throw new UsageError(
      `--fault ${fault}: the runbook has no step '${step}'`,
      near === undefined ? `its steps: ${known.slice(0, 20).join(', ')}` : `did you mean '${near}'?`,
    );
  }
}
