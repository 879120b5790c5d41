import { parseDuration } from '../duration.ts';
import type { Json, JsonObject } from '../json.ts';
import { checkWith } from '../plan/check-with.ts';
import { because, decideCondition, elementsOf } from '../plan/elements.ts';
import { lookupFor, nodeOf, type ScopeSource, whenDecidedFor } from '../plan/scope.ts';
import type { IncludeNode, Node, StepNode } from '../read/runbook.ts';
import { sealSecrets } from '../secret.ts';
import { renderTemplate, renderValue } from '../template.ts';
import type { Resolved, Value } from '../value.ts';
import type { ActionOf } from './action.ts';
import type { JournaledEvent } from './event.ts';
import { scopeSource } from './facts.ts';
import { failedEvent } from './handling.ts';
import { EvaluationError, failureOf } from './run-error.ts';
import type { Runtime } from './runtime.ts';
import { containerIn, nodePath, requireNode } from './structure.ts';
import { get } from './table.ts';

type Enter = Extract<ActionOf<'evaluate'>, { part: 'enter' }>;

/** Time limits of steps whose node and type name none. */
const readTimeout = 60_000;
const changeTimeout = 10 * 60_000;

/** Decides `when` and `forEach` of an instance and renders what it needs; what comes out is a fact, never evaluated again. */
export function enter(runtime: Runtime, action: Enter): void {
  const { id } = action;
  const found = nodeOf(runtime.plan, id);
  if (found === undefined) throw new RangeError(`the plan holds no step "${id}"`);
  const { node, block } = found;
  const base = { id, node: nodePath(id), parent: action.parent, block, name: nameOf(runtime, id, node) };
  try {
    runtime.record([decideEntry(runtime, { node, base, element: id.endsWith(']') })]);
  } catch (thrown) {
    const { error } = failureOf(thrown);
    runtime.record([
      {
        type: 'evaluated',
        ...base,
        ...(node.kind === 'step' ? { effect: node.effect, uses: node.uses } : {}),
        incomplete: true,
      },
    ]);
    runtime.record([failedEvent(runtime, id, error)], { sync: true });
  }
}

/** What is skipped, or stands for all elements of a forEach, has a name only if it can be rendered as it is. */
function nameOf(runtime: Runtime, id: string, node: Node): string {
  if (node.name === undefined) return node.id;
  const found = renderTemplate(
    node.name,
    lookupFor(scopeSource(runtime.plan, runtime.state(), runtime.inputs), id),
  );
  return found.state === 'known' && typeof found.value === 'string' ? found.value : node.id;
}

interface Base {
  readonly id: string;
  readonly node: string;
  readonly parent: string;
  readonly block: 'preconditions' | 'steps' | 'verifications' | 'rollback';
  readonly name: string;
}

function decideEntry(
  runtime: Runtime,
  entry: { readonly node: Node; readonly base: Base; readonly element: boolean },
): JournaledEvent {
  const { node, base, element } = entry;
  const source = scopeSource(runtime.plan, runtime.state(), runtime.inputs);
  const perElement = whenDecidedFor(node) === 'instance';
  if (node.when !== undefined && perElement === element) {
    const decided = decideCondition(source, base.id, { text: node.when });
    const holds = need(decided, `when of "${base.id}"`);
    if (!holds.value) {
      const text = `when does not hold: ${because(node.when, holds.values)}`;
      return { type: 'skipped', ...base, reason: 'when', text };
    }
  }
  if (node.forEach !== undefined && !element) {
    const items = need(elementsOf(source, base.id, node), `forEach of "${base.id}"`).value;
    if (items.length === 0)
      return { type: 'skipped', ...base, reason: 'empty', text: 'the list of its forEach is empty' };
    return { type: 'evaluated', ...base, items };
  }
  const named = { ...base, name: textOf(source, base.id, node.name) ?? base.name };
  if (node.kind === 'group') return { type: 'evaluated', ...named };
  if (node.kind === 'include')
    return { type: 'evaluated', ...named, with: includeInputs(source, base.id, node) };
  return { type: 'evaluated', ...named, ...step(runtime, source, { id: base.id, node }) };
}

function step(runtime: Runtime, source: ScopeSource, entry: { id: string; node: StepNode }) {
  const { id, node } = entry;
  const type = runtime.steps.get(node.uses);
  const schema = runtime.schemas[node.uses];
  if (type === undefined || schema === undefined)
    throw new EvaluationError('unknown-step-type', `there is no step type "${node.uses}" in this version`);
  const input = known(renderValue(node.with, lookupFor(source, id)), `with of "${id}"`);
  const problems = checkWith(schema, input);
  if (problems.length > 0)
    throw new EvaluationError('invalid-with', `with of "${id}" does not fit ${node.uses}`, {
      details: problems,
    });
  const standard = type.timeout ?? (node.effect === 'change' ? changeTimeout : readTimeout);
  const confirm = textOf(source, id, node.confirm);
  return {
    effect: node.effect,
    uses: node.uses,
    summary: type.describe(input as never),
    with: sealSecrets(input) as JsonObject,
    timeout: durationOf(source, id, node.timeout) ?? standard,
    ...(confirm === undefined ? {} : { confirm }),
  };
}

function includeInputs(source: ScopeSource, id: string, node: IncludeNode): JsonObject {
  const inner = lookupFor(source, `${id}/`);
  const inputs: Record<string, Json> = {};
  for (const [name, spec] of Object.entries(node.inputs)) {
    // A secret is looked up where it comes from, each time.
    if (spec.type === 'secret') continue;
    const value = inner(['inputs', name]);
    if (value.state === 'missing' && spec.required !== true && node.with[name] === undefined) continue;
    inputs[name] = sealSecrets(known(value, `input "${name}" of "${id}"`));
  }
  return inputs;
}

/** Ends a group, an include or an expansion: failed when `onFailure: continue` passed over something inside and skipped the rest. */
export function closeContainer(runtime: Runtime, id: string): void {
  const state = runtime.state();
  const container = containerIn(state, id);
  if (container.aborted) {
    const error = { code: 'part-failed', message: 'a step inside failed; the rest of it was left out' };
    runtime.record([failedEvent(runtime, id, error)], { sync: true });
    return;
  }
  const node = requireNode(runtime.plan, id);
  const instance = get(state.instances, id);
  const { applied } = container;
  if (node.kind !== 'include' || instance?.items !== undefined) {
    runtime.record([{ type: 'done', id, outputs: {}, applied }]);
    return;
  }
  try {
    const source = scopeSource(runtime.plan, state, runtime.inputs);
    const outputs = known(renderValue(node.outputs, lookupFor(source, `${id}/`)), `outputs of "${id}"`);
    runtime.record([{ type: 'done', id, outputs: sealSecrets(outputs) as JsonObject, applied }]);
  } catch (thrown) {
    const { error } = failureOf(thrown);
    runtime.record([failedEvent(runtime, id, error)], { sync: true });
  }
}

/** A text of the runbook in an instance's scope; undefined when there is none. */
export function textOf(source: ScopeSource, id: string, text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  return String(known(renderTemplate(text, lookupFor(source, id)), `"${text}"`));
}

export function durationOf(source: ScopeSource, id: string, text: string | undefined): number | undefined {
  const rendered = textOf(source, id, text);
  if (rendered === undefined) return undefined;
  const ms = parseDuration(rendered);
  if (ms === undefined) throw new EvaluationError('bad-duration', `"${rendered}" is no duration`);
  return ms;
}

function known(resolved: Resolved, what: string): Value {
  if (resolved.state === 'known') return resolved.value;
  const why = resolved.state === 'missing' ? resolved.why : notThere(resolved.after);
  throw new EvaluationError('missing-value', `${what}: ${why}`);
}

type Found<T> =
  | { readonly state: 'known'; readonly value: T; readonly values: Readonly<Record<string, Value>> }
  | { readonly state: 'unknown'; readonly after: readonly string[] }
  | { readonly state: 'invalid'; readonly why: string };

function need<T>(found: Found<T>, what: string): Extract<Found<T>, { state: 'known' }> {
  if (found.state === 'known') return found;
  const why = found.state === 'invalid' ? found.why : notThere(found.after);
  throw new EvaluationError('cannot-decide', `${what}: ${why}`);
}

function notThere(after: readonly string[]): string {
  return `it needs ${after.join(', ')}, which has not run`;
}
