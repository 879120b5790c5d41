import { expressionReferences } from '../expression.ts';
import type { Node } from '../read/runbook.ts';
import { nameHint } from '../suggest.ts';
import { renderValue } from '../template.ts';
import type { Lookup, Resolved, Value } from '../value.ts';
import { allIncludeInputs, type IncludeInputs, includeInput } from './include-input.ts';
import { type InstanceFacts, parentOf } from './instance.ts';
import type { BlockName, Plan } from './plan.ts';
import { at, beforeAt, outputsAt, stateAt, type Target, targetOf } from './step-values.ts';
import { type Level, locate } from './tree.ts';

export type { InstanceFacts } from './instance.ts';

/**
 * Instance ids: a root step is its id ('restart'); a child of a group or include 'group/child'; a forEach instance 'restart[nvcf-api]';
 * nested 'all[nvcf]/restart'. Derived containers: 'restart~verify/check', 'restart~undo/putBack', '@recheck/healthy' (preconditions
 * evaluated again after a rollback). Root blocks are the containers '@preconditions', '@steps', '@verifications', '@rollback', '@recheck';
 * their children carry no prefix, but for '@recheck'. Preconditions, steps and verifications of an include are its children
 * ('deploy/ready'), its rollback block is 'deploy~undo/…'. 'deploy/' names the inside of an include: what its `outputs` and `locks` see.
 * `instance.ts` builds and reads them.
 */
export interface ScopeSource {
  readonly plan: Pick<Plan, 'blocks' | 'inputs' | 'runbook' | 'services'>;
  readonly run: { readonly id: string; readonly startedAt: string; readonly user: string };
  /** Root inputs with secrets resolved to `Secret`. */
  readonly inputs: Readonly<Record<string, Value>>;
  /** Undefined: not there yet. Children of what was skipped or failed need no facts of their own. */
  facts(instance: string): InstanceFacts | undefined;
}

interface Scope {
  readonly source: ScopeSource;
  /** Outermost document first. */
  readonly levels: readonly Level[];
  readonly recheck: boolean;
  readonly own: Readonly<Record<string, Value>>;
}

/**
 * References of templates in an instance's scope: `inputs`, `steps`, `run`, `runbook`, elements of the `forEach` around it, and `own`,
 * which adds names such as `outputs` while `expect` is decided. An instance that the plan does not hold is a `RangeError`.
 */
export function lookupFor(
  source: ScopeSource,
  instance: string,
  own: Readonly<Record<string, Value>> = {},
): Lookup {
  const scope = scopeOf(source, instance, own);
  return (path) => resolve(scope, path);
}

/** Root variables for CEL in an instance's scope, restricted to what the expression reads; or what is still unknown. */
export function expressionValues(
  source: ScopeSource,
  instance: string,
  text: string,
  own: Readonly<Record<string, Value>> = {},
):
  | { readonly state: 'known'; readonly values: Readonly<Record<string, Value>> }
  | { readonly state: 'unknown'; readonly after: readonly string[] }
  | { readonly state: 'missing'; readonly why: string } {
  const scope = scopeOf(source, instance, own);
  const values: Tree = {};
  const after = new Set<string>();
  const done = new Set<string>();
  const paths = expressionReferences(text).map((path) => trim(scope, path));
  for (const path of paths.sort((one, other) => one.length - other.length)) {
    const covered = path.some((_, index) => done.has(JSON.stringify(path.slice(0, index + 1))));
    if (covered) continue;
    done.add(JSON.stringify(path));
    const found = resolve(scope, path);
    if (found.state === 'known') place(values, path, found.value);
    else if (found.state === 'unknown') for (const id of found.after) after.add(id);
    else {
      const why = undeclared(scope, path);
      if (why !== undefined) return { state: 'missing', why };
      // What is absent stays absent, so that has() can ask for it.
      place(values, path, undefined);
    }
  }
  if (after.size > 0) return { state: 'unknown', after: [...after] };
  return { state: 'known', values };
}

/**
 * The node of an instance id and the block it stands in: what undoes a step stands in 'rollback', what verifies it in the step's own
 * block. Undefined for a container and for an id that the plan does not hold.
 */
export function nodeOf(
  plan: Pick<Plan, 'blocks'>,
  instance: string,
): { readonly node: Node; readonly block: BlockName } | undefined {
  const found = locate(plan, instance);
  if (found === undefined || found.inside) return undefined;
  const undo = found.levels.some((level) => level.steps.some((step) => step.segment.separator === '~undo/'));
  const last = found.levels.at(-1)?.steps.at(-1);
  const first = found.levels[0]?.steps[0];
  if (last === undefined || first === undefined) return undefined;
  return { node: last.entry.node, block: undo ? 'rollback' : first.entry.block };
}

/**
 * Whether `when` of a `forEach` node is decided for each element ('instance', because it reads the element) or once ('node', before the
 * list is). Of other nodes: 'node'.
 */
export function whenDecidedFor(node: Node): 'node' | 'instance' {
  const name = node.forEach?.as;
  if (name === undefined || node.when === undefined) return 'node';
  return expressionReferences(node.when).some((path) => path[0] === name) ? 'instance' : 'node';
}

function scopeOf(source: ScopeSource, instance: string, own: Readonly<Record<string, Value>>): Scope {
  const found = locate(source.plan, instance);
  if (found === undefined) throw new RangeError(`the plan holds no instance "${instance}"`);
  return { source, levels: found.levels, recheck: found.recheck, own };
}

function resolve(scope: Scope, path: readonly string[]): Resolved {
  const [root, name, ...rest] = path;
  if (root === undefined) return missing('an empty reference');
  const own = scope.own[root];
  if (own !== undefined && Object.hasOwn(scope.own, root)) return within(own, path);
  if (root === 'inputs') return resolveInput(scope, path);
  if (root === 'steps') return resolveStep(scope, name, rest);
  if (root === 'run') return within({ ...scope.source.run }, path);
  if (root === 'runbook') {
    const { name: id, title } = scope.source.plan.runbook;
    return within({ name: id, title }, path);
  }
  return resolveItem(scope, path);
}

function resolveStep(scope: Scope, id: string | undefined, rest: readonly string[]): Resolved {
  const level = scope.levels.at(-1);
  if (id === undefined || level === undefined)
    return missing('"steps" alone is no value; write steps.<id>.outputs');
  const target = targetFor(scope, level, id);
  if (target === undefined) {
    const hint = nameHint(id, level.document.keys(), 'steps');
    return missing(`there is no step "${id}"${hint === undefined ? '' : `: ${hint}`}`);
  }
  const facts = (instance: string): InstanceFacts | undefined => scope.source.facts(instance);
  const [field, ...below] = rest;
  if (field === 'outputs') return outputsAt(facts, target, below);
  if (field === 'before') return beforeAt(facts, target, below);
  if (field === 'state' && below.length === 0) return stateAt(facts, target);
  if (field === undefined) return wholeStep(facts, target);
  return missing(`a step has "outputs" and "state", not "${rest.join('.')}"`);
}

function wholeStep(facts: (instance: string) => InstanceFacts | undefined, target: Target): Resolved {
  const state = stateAt(facts, target);
  const outputs = outputsAt(facts, target, []);
  if (state.state === 'unknown') return state;
  if (outputs.state === 'unknown') return outputs;
  const known = outputs.state === 'known' ? { outputs: outputs.value } : {};
  return { state: 'known', value: { ...(state.state === 'known' ? { state: state.value } : {}), ...known } };
}

function targetFor(scope: Scope, level: Level, id: string): Target | undefined {
  const entry = level.document.get(id);
  return entry === undefined ? undefined : targetOf(level, entry, scope.recheck);
}

function resolveInput(scope: Scope, path: readonly string[]): Resolved {
  const level = scope.levels.at(-1);
  const include = level?.include;
  const name = path[1];
  if (include === undefined || level === undefined) {
    if (name !== undefined && !Object.hasOwn(scope.source.inputs, name))
      return missing(`input "${name}" was not given and has no default`);
    return within(scope.source.inputs, path);
  }
  const given: IncludeInputs = {
    include,
    recorded: scope.source.facts(level.prefix)?.with,
    services: scope.source.plan.services,
    render: (value) => renderValue(value, (reference) => resolve(outerOf(scope), reference)),
  };
  const found = name === undefined ? allIncludeInputs(given) : includeInput(given, name);
  if (found.state !== 'known') return found;
  return within(name === undefined ? found.value : { [name]: found.value }, path);
}

function outerOf(scope: Scope): Scope {
  return { ...scope, levels: scope.levels.slice(0, -1), own: {} };
}

function resolveItem(scope: Scope, path: readonly string[]): Resolved {
  const name = path[0];
  for (const step of scope.levels.at(-1)?.steps.toReversed() ?? []) {
    if (step.entry.node.forEach?.as !== name) continue;
    if (step.segment.key === undefined) continue;
    const item = scope.source.facts(step.segment.instance)?.item;
    if (item === undefined) {
      const { instance } = step.segment;
      const after = scope.source.facts(parentOf(instance) ?? instance)?.after;
      return { state: 'unknown', after: after ?? [instance] };
    }
    return within(item.value, path);
  }
  return missing(`there is no "${name}" here`);
}

/** The value of a root, followed along the rest of the path. */
function within(root: Value, path: readonly string[]): Resolved {
  const found = at(root, path.slice(1));
  return found ?? missing(`${path.slice(0, -1).join('.')} has no "${path.at(-1)}"`);
}

function missing(why: string): Resolved {
  return { state: 'missing', why };
}

/** Enough of a path to hand CEL whole fields: a list must stay a list. */
function trim(scope: Scope, path: readonly string[]): readonly string[] {
  const [root, id, field] = path;
  if (root === undefined || Object.hasOwn(scope.own, root)) return path.slice(0, 1);
  if (root === 'inputs' || root === 'run' || root === 'runbook') return path.slice(0, 2);
  if (root !== 'steps') return path.slice(0, 1);
  if (id === undefined || field !== 'outputs') return path.slice(0, 3);
  const level = scope.levels.at(-1);
  const target = level === undefined ? undefined : targetFor(scope, level, id);
  return path.slice(0, 4 + (target?.fans ?? 0));
}

/** A reference that no run could ever satisfy, as opposed to a value that is not there this time. */
function undeclared(scope: Scope, path: readonly string[]): string | undefined {
  const found = resolve(scope, path);
  const why = found.state === 'missing' ? found.why : undefined;
  const [root, id, field] = path;
  if (root === 'inputs' || root === 'run' || root === 'runbook') return undefined;
  if (root !== 'steps') return why;
  if (id === undefined || scope.levels.at(-1)?.document.has(id) !== true) return why;
  return field === 'outputs' || field === 'before' || field === 'state' ? undefined : why;
}

type Tree = { [name: string]: Value };

/** Sets a value at a path; undefined makes room for it only. */
function place(root: Tree, path: readonly string[], value: Value | undefined): void {
  let current = root;
  for (const name of path.slice(0, -1)) {
    const next = Object.hasOwn(current, name) ? current[name] : undefined;
    const child: Tree = (next ?? {}) as Tree;
    if (next === undefined) define(current, name, child);
    current = child;
  }
  const last = path.at(-1);
  if (last !== undefined && value !== undefined) define(current, last, value);
}

function define(object: Tree, name: string, value: Value): void {
  Object.defineProperty(object, name, { value, enumerable: true, configurable: true, writable: true });
}
