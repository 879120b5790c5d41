import type { GroupNode, Node, StepNode } from '../read/runbook.ts';
import { because, decideCondition, elementsOf } from './elements.ts';
import { noTime, type Span, together } from './estimate.ts';
import { forecastChange, sayRollback } from './forecast-change.ts';
import { forecastRead } from './forecast-read.ts';
import { childOf, itemOf, undoOf, verifyOf } from './instance.ts';
import { addProblem, amend, type Planner, type Spot, setFacts, show } from './planner.ts';
import { whenDecidedFor } from './scope.ts';
import { knownAfter, nameOf, type Subject, subjectOf, undoLabels } from './subject.ts';
import { walkInclude } from './walk-include.ts';

/** How long something takes, and whether anything in it is still to be known. */
export interface Walked {
  readonly span: Span;
  readonly pending: boolean;
}

interface Place {
  readonly id: string;
  readonly spot: Spot;
}

const nothing: Walked = { span: noTime, pending: false };

/** Walks nodes in order, however many run at once later: what comes first in the document is what a later one may rely on. */
export async function walkNodes(
  planner: Planner,
  nodes: readonly Node[],
  at: { readonly spot: Spot; readonly parallel: number },
): Promise<Walked> {
  const spans: Span[] = [];
  let pending = false;
  for (const node of nodes) {
    const walked = await walkNode(planner, node, at.spot);
    spans.push(walked.span);
    pending ||= walked.pending;
  }
  return { span: together(spans, at.parallel), pending };
}

async function walkNode(planner: Planner, node: Node, spot: Spot): Promise<Walked> {
  planner.request.signal.throwIfAborted();
  const place = { id: childOf(spot.container, node.id), spot };
  const decided = whenDecidedFor(node) === 'node' ? decideWhen(planner, node, place) : spot;
  if (decided === undefined) return nothing;
  const open = { id: place.id, spot: decided };
  return node.forEach === undefined ? walkOne(planner, node, open) : walkEach(planner, node, open);
}

/** The spot to go on with; undefined when the node will be skipped or cannot be decided, which is then shown. */
function decideWhen(planner: Planner, node: Node, { id, spot }: Place): Spot | undefined {
  if (node.when === undefined) return spot;
  const decided = decideCondition(planner.source, id, { text: node.when });
  if (decided.state === 'unknown')
    return { ...spot, doubt: spot.doubt ?? `only if ${node.when}, ${knownAfter(decided.after)}` };
  if (decided.state === 'invalid') {
    rejectNode(planner, node, { id, spot }, `when: ${decided.why}`);
    return undefined;
  }
  if (decided.value) return spot;
  const reason = `when is false: ${because(node.when, decided.values)}`;
  show(planner, spot, { ...nameOf(planner, node, { id, spot }), ...uses(node), status: 'skipped', reason });
  setFacts(planner, id, { state: 'skipped' });
  return undefined;
}

function rejectNode(planner: Planner, node: Node, { id, spot }: Place, why: string): void {
  addProblem(planner, node, { kind: 'invalid', instance: id, message: `${id}: ${why}` });
  show(planner, spot, {
    ...nameOf(planner, node, { id, spot }),
    ...uses(node),
    status: 'failed',
    reason: why,
  });
  setFacts(planner, id, { state: 'failed' });
}

function uses(node: Node): { readonly uses?: string } {
  if (node.kind === 'step') return { uses: node.uses };
  return node.kind === 'include' ? { uses: node.path } : {};
}

async function walkEach(planner: Planner, node: Node, { id, spot }: Place): Promise<Walked> {
  const elements = elementsOf(planner.source, id, node);
  if (elements.state === 'invalid') {
    rejectNode(planner, node, { id, spot }, elements.why);
    return nothing;
  }
  const line = { ...nameOf(planner, { ...node, name: node.id }, { id, spot }), ...uses(node) };
  const { confirm: _, ...head } = line;
  const inner: Spot = { ...spot, depth: spot.depth + 1 };
  if (elements.state === 'unknown') {
    const reason = `one for each element of a list that is ${knownAfter(elements.after)}`;
    show(planner, spot, { ...head, status: 'unknown', reason });
    setFacts(planner, id, { state: 'applied', pending: true, after: elements.after });
    setFacts(planner, itemOf(id, '?'), { state: 'applied', pending: true });
    const doubt = spot.doubt ?? reason;
    return walkInstance(planner, node, { id: itemOf(id, '?'), spot: { ...inner, doubt } });
  }
  const count = elements.value.length;
  const reason = count === 0 ? 'the list is empty' : `${count} ${count === 1 ? 'element' : 'elements'}`;
  show(planner, spot, { ...head, status: count === 0 ? 'skipped' : 'group', reason });
  const keys = elements.value.map(({ key }) => key);
  setFacts(planner, id, { state: 'applied', pending: true, keys });
  const walked: Walked[] = [];
  const as = node.forEach?.as ?? 'item';
  for (const { key, value } of elements.value) {
    const instance = itemOf(id, key);
    planner.facts.set(instance, { state: 'applied', pending: true, item: { name: as, value } });
    walked.push(await walkInstance(planner, node, { id: instance, spot: inner }));
  }
  const pending = walked.some((one) => one.pending);
  setFacts(planner, id, {
    state: count === 0 ? 'skipped' : 'applied',
    keys,
    ...(pending ? { pending } : {}),
  });
  const spans = walked.map((one) => one.span);
  return { span: together(spans, node.forEach?.parallel ?? 1), pending };
}

async function walkInstance(planner: Planner, node: Node, place: Place): Promise<Walked> {
  planner.request.signal.throwIfAborted();
  const spot = whenDecidedFor(node) === 'instance' ? decideWhen(planner, node, place) : place.spot;
  return spot === undefined ? nothing : walkOne(planner, node, { id: place.id, spot });
}

function walkOne(planner: Planner, node: Node, place: Place): Promise<Walked> {
  if (node.kind === 'step') return walkStep(planner, node, place);
  if (node.kind === 'group') return walkGroup(planner, node, place);
  return walkInclude(planner, node, { ...place, walk: walkNodes });
}

async function walkStep(planner: Planner, node: StepNode, { id, spot }: Place): Promise<Walked> {
  const subject = subjectOf(planner, node, { id, spot });
  const undo = await walkUndo(planner, node, { id, spot });
  let span = noTime;
  if (!spot.shown) setFacts(planner, id, { state: 'applied', pending: true });
  else if (node.effect === 'read') {
    await forecastRead(planner, subject);
    span = planner.spans.get(node.id) ?? (spot.block === 'rollback' ? noTime : spanOf(planner, subject));
  } else span = await forecastChange(planner, subject, undo);
  if (node.verify !== undefined) {
    const doubt = spot.doubt ?? knownAfter([id]);
    const verify = { ...spot, container: verifyOf(id), depth: spot.depth + 1, doubt, live: false };
    await walkNodes(planner, node.verify, { spot: verify, parallel: 1 });
  }
  return { span, pending: planner.facts.get(id)?.pending === true };
}

/** Most reads take no time worth naming; a wait takes as long as it says. */
function spanOf(planner: Planner, { type, input }: Subject): Span {
  const ms =
    type.effect === 'read' && input.state === 'known'
      ? type.takes?.(input.value as never, planner.request.options.now)
      : undefined;
  return ms === undefined ? noTime : { min: ms, max: ms };
}

/** Undo steps have no lines of their own: what they need is checked, and their names say how the step is taken back. */
async function walkUndo(planner: Planner, node: Node, { id, spot }: Place): Promise<readonly string[]> {
  const rollback = node.rollback;
  if (rollback === undefined || !isList(rollback)) return [];
  const container = undoOf(id);
  const undo: Spot = {
    ...spot,
    container,
    block: 'rollback',
    doubt: 'only in a rollback',
    live: false,
    shown: false,
  };
  await walkNodes(planner, rollback, { spot: undo, parallel: 1 });
  return undoLabels(planner, rollback, container);
}

async function walkGroup(planner: Planner, node: GroupNode, { id, spot }: Place): Promise<Walked> {
  const line = nameOf(planner, node, { id, spot });
  const slot = show(planner, spot, { ...line, status: 'group' });
  setFacts(planner, id, { state: 'applied', pending: true });
  const inner: Spot = { ...spot, container: id, depth: spot.depth + 1 };
  const walked = await walkNodes(planner, node.children, { spot: inner, parallel: node.parallel });
  const undo = sayRollback(node.rollback, await walkUndo(planner, node, { id, spot }));
  const duration = walked.span.max > 0 ? { duration: walked.span } : {};
  amend(planner, slot, { ...duration, ...(undo === undefined ? {} : { undo }) });
  setFacts(planner, id, { state: 'applied', ...(walked.pending ? { pending: true } : {}) });
  return walked;
}

function isList(rollback: NonNullable<StepNode['rollback']>): rollback is readonly Node[] {
  return Array.isArray(rollback);
}
