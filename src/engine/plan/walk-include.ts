import type { Json } from '../json.ts';
import type { IncludeNode, Node } from '../read/runbook.ts';
import { containsSecret } from '../secret.ts';
import { renderValue } from '../template.ts';
import { type Span, together } from './estimate.ts';
import { undoOf } from './instance.ts';
import { addProblem, amend, type Planner, type Spot, setFacts, show } from './planner.ts';
import { lookupFor } from './scope.ts';
import { knownAfter, nameOf, undoLabels } from './subject.ts';

type Walk = (
  planner: Planner,
  nodes: readonly Node[],
  at: { readonly spot: Spot; readonly parallel: number },
) => Promise<{ readonly span: Span; readonly pending: boolean }>;

interface Place {
  readonly id: string;
  readonly spot: Spot;
  readonly walk: Walk;
}

/** Another runbook in its own scope: its preconditions are looked at but only decided when it starts. */
export async function walkInclude(
  planner: Planner,
  node: IncludeNode,
  { id, spot, walk }: Place,
): Promise<{ readonly span: Span; readonly pending: boolean }> {
  const line = nameOf(planner, node, { id, spot });
  const slot = show(planner, spot, { ...line, uses: node.path, summary: node.title, status: 'group' });
  setFacts(planner, id, { state: 'applied', pending: true });
  const inputs = recordInputs(planner, node, id);
  const recorded = inputs === undefined ? {} : { with: inputs };
  setFacts(planner, id, { state: 'applied', pending: true, ...recorded });
  planner.risks.add(node.risk);
  noteLocks(planner, node.locks, { instance: `${id}/`, at: node.at });
  const inner: Spot = { ...spot, container: id, depth: spot.depth + 1 };
  const gate = { ...inner, gateOf: line.name };
  const walked = [
    await walk(planner, node.preconditions, { spot: gate, parallel: 1 }),
    await walk(planner, node.children, { spot: inner, parallel: 1 }),
    await walk(planner, node.verifications, { spot: inner, parallel: 1 }),
  ];
  const undo: Spot = {
    ...inner,
    container: undoOf(id),
    block: 'rollback',
    doubt: 'only in a rollback',
    live: false,
    shown: false,
  };
  await walk(planner, node.rollback, { spot: undo, parallel: 1 });
  const spans = walked.map((one) => one.span);
  const span = together(spans, 1);
  const takesBack = undoLabels(planner, node.rollback, undoOf(id));
  amend(planner, slot, {
    ...(span.max > 0 ? { duration: span } : {}),
    ...(takesBack.length === 0 ? {} : { undo: `the steps inside, then ${takesBack.join(', then ')}` }),
  });
  const outputs = renderOutputs(planner, node.outputs, `${id}/`);
  const pending = outputs.pending || walked.some((one) => one.pending);
  setFacts(planner, id, {
    state: 'applied',
    ...recorded,
    outputs: outputs.known,
    ...(pending ? { pending } : {}),
  });
  return { span, pending };
}

interface Where {
  readonly instance: string;
  readonly at: string;
}

/** Locks are taken before anything runs, so their names must be known by then. */
export function noteLocks(planner: Planner, locks: readonly string[], { instance, at }: Where): void {
  for (const lock of locks) {
    const found = renderValue(lock, lookupFor(planner.source, instance));
    if (found.state === 'known' && typeof found.value === 'string') planner.locks.add(found.value);
    else {
      const why =
        found.state === 'unknown'
          ? `is ${knownAfter(found.after)}, but locks are taken before the first step`
          : found.state === 'missing'
            ? `cannot be named: ${found.why}`
            : 'is no text';
      planner.problems.push({ kind: 'invalid', at, message: `lock ${lock} ${why}` });
    }
  }
}

/** Outputs as far as they are known. One of a step that is skipped is left out, as the run does with a warning. */
export function renderOutputs(
  planner: Planner,
  outputs: Readonly<Record<string, Json>>,
  instance: string,
): { readonly known: Readonly<Record<string, Json>>; readonly pending: boolean } {
  const known: Record<string, Json> = {};
  let pending = false;
  const lookup = lookupFor(planner.source, instance);
  for (const [name, value] of Object.entries(outputs)) {
    const found = renderValue(value, lookup);
    if (found.state === 'unknown') pending = true;
    else if (found.state === 'known' && !containsSecret(found.value)) known[name] = found.value as Json;
  }
  return { known, pending };
}

/** Every input of the include, when all are known; otherwise each is rendered where it is used. */
function recordInputs(
  planner: Planner,
  node: IncludeNode,
  id: string,
): Readonly<Record<string, Json>> | undefined {
  const lookup = lookupFor(planner.source, `${id}/`);
  const values: Record<string, Json> = {};
  let complete = true;
  for (const [name, spec] of Object.entries(node.inputs)) {
    const found = lookup(['inputs', name]);
    if (found.state === 'unknown') complete = false;
    if (found.state === 'missing' && (spec.required === true || Object.hasOwn(node.with, name)))
      addProblem(planner, node, { kind: 'invalid', instance: id, message: `${id}: ${found.why}` });
    if (found.state === 'known' && spec.type !== 'secret' && !containsSecret(found.value))
      values[name] = found.value as Json;
  }
  return complete ? values : undefined;
}
