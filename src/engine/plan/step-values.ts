import type { Resolved, Value } from '../value.ts';
import { type InstanceFacts, itemOf, parentOf } from './instance.ts';
import type { Entry, Level } from './tree.ts';

type Facts = (instance: string) => InstanceFacts | undefined;

/** Where a step's results are, seen from an instance: one instance, and below it the nodes whose keys are not fixed. */
export interface Target {
  readonly id: string;
  readonly instance: string;
  /** The target or the ancestor of it that `instance` is an instance of. */
  readonly entry: Entry;
  /** Of the way from `entry` down to the target, still to go. */
  readonly below: readonly Entry[];
  /** `instance` is the expansion of a `forEach`: one value for each key. */
  readonly open: boolean;
  /** How many keys of `forEach` lie between here and the outputs. */
  readonly fans: number;
}

/** Instances of the same element share its key; any other `forEach` on the way opens a map. */
export function targetOf(level: Level, entry: Entry, recheck: boolean): Target {
  let shared = -1;
  while (shared + 1 < entry.chain.length && level.steps[shared + 1]?.entry === entry.chain[shared + 1])
    shared += 1;
  const own = level.steps[shared];
  const start = Math.max(shared, 0);
  const first = entry.chain[start] ?? entry;
  const base = level.prefix !== '' || !recheck || first.block !== 'preconditions' ? level.prefix : '@recheck';
  const below = entry.chain.slice(start + 1);
  const open = first.node.forEach !== undefined && own?.segment.key === undefined;
  const fans = below.filter((next) => next.node.forEach !== undefined).length + (open ? 1 : 0);
  const instance = own?.segment.instance ?? join(base, first);
  return { id: entry.node.id, instance, entry: first, below, open, fans };
}

/** `steps.<id>.outputs` and what is below; `rest` starts with the keys of every open `forEach`. */
export function outputsAt(facts: Facts, target: Target, rest: readonly string[]): Resolved {
  if (!target.open) return descend(facts, target, rest);
  const expansion = factsOf(facts, target.instance);
  if (expansion === undefined) return unknown(target.instance);
  if (expansion.keys === undefined) {
    if (expansion.pending === true) return { state: 'unknown', after: expansion.after ?? [target.instance] };
    return { state: 'missing', why: noOutputs(target.id, expansion) };
  }
  const [key, ...after] = rest;
  if (key === undefined) return allOutputs(facts, target, { expansion, keys: expansion.keys });
  if (!keySet(expansion.keys).has(key)) {
    const some = expansion.keys.slice(0, 5).join(', ');
    const why = `step "${target.id}" has no element "${key}"; it has ${some === '' ? 'none' : some}`;
    return { state: 'missing', why };
  }
  return descend(facts, { ...target, instance: itemOf(target.instance, key), open: false }, after);
}

/** The state of a step; of many instances the one that matters most: failed, applied, not run, skipped. */
export function stateAt(facts: Facts, target: Target): Resolved {
  const found = new Set<InstanceFacts['state']>();
  const after = new Set<string>();
  collectStates(facts, target, { found, after });
  if (after.size > 0) return { state: 'unknown', after: [...after] };
  const value = (['failed', 'applied', 'notRun', 'skipped'] as const).find((state) => found.has(state));
  return { state: 'known', value: value ?? 'skipped' };
}

/** What a step saw before it changed anything; for its own `rollback`. */
export function beforeAt(facts: Facts, target: Target, rest: readonly string[]): Resolved {
  if (target.fans > 0 || target.below.length > 0)
    return {
      state: 'missing',
      why: `steps.${target.id}.before can only be read by that step's own rollback`,
    };
  const own = factsOf(facts, target.instance);
  if (own === undefined || own.pending === true) return unknown(target.instance);
  if (own.before === undefined)
    return { state: 'missing', why: `nothing was captured before step "${target.id}"` };
  return at(own.before, rest) ?? missingField(target.id, 'before', rest);
}

/** Follows a path through objects and lists; undefined when it leads nowhere. */
export function at(value: Value, path: readonly string[]): Resolved | undefined {
  let current: Value | undefined = value;
  for (const part of path) {
    if (Array.isArray(current)) current = /^\d+$/.test(part) ? current[Number(part)] : undefined;
    else if (isObject(current)) current = Object.hasOwn(current, part) ? current[part] : undefined;
    else return undefined;
    if (current === undefined) return undefined;
  }
  return { state: 'known', value: current };
}

function isObject(value: Value | undefined): value is { readonly [key: string]: Value } {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

function descend(facts: Facts, target: Target, rest: readonly string[]): Resolved {
  const [next, ...below] = target.below;
  if (next === undefined) return leafOutputs(facts, target, rest);
  const instance = join(target.instance, next);
  const open = next.node.forEach !== undefined;
  return outputsAt(facts, { ...target, instance, entry: next, below, open }, rest);
}

function leafOutputs(facts: Facts, target: Target, rest: readonly string[]): Resolved {
  const own = factsOf(facts, target.instance);
  if (own === undefined) return unknown(target.instance);
  const pending = own.pending === true;
  if (own.outputs === undefined) {
    if (pending) return unknown(target.instance);
    return { state: 'missing', why: noOutputs(target.id, own) };
  }
  if (rest.length === 0 && pending) return unknown(target.instance);
  const found = at(own.outputs, rest);
  if (found !== undefined) return found;
  return pending ? unknown(target.instance) : missingField(target.id, 'outputs', rest);
}

const maps = new WeakMap<InstanceFacts, Map<string, Resolved>>();

function allOutputs(
  facts: Facts,
  target: Target,
  all: { readonly expansion: InstanceFacts; readonly keys: readonly string[] },
): Resolved {
  const settled = all.expansion.pending !== true && /^(applied|skipped)$/.test(all.expansion.state);
  const known = settled ? maps.get(all.expansion)?.get(target.id) : undefined;
  if (known !== undefined) return known;
  const value: Record<string, Value> = {};
  for (const key of all.keys) {
    const one = descend(facts, { ...target, instance: itemOf(target.instance, key), open: false }, []);
    if (one.state === 'unknown') return unknown(target.instance);
    if (one.state === 'known') Object.defineProperty(value, key, { value: one.value, ...plain });
  }
  const result: Resolved = { state: 'known', value };
  if (settled) {
    const byId = maps.get(all.expansion) ?? new Map<string, Resolved>();
    maps.set(all.expansion, byId.set(target.id, result));
  }
  return result;
}

// A key such as '__proto__' is data like any other.
const plain = { enumerable: true, configurable: true, writable: true } as const;

function collectStates(
  facts: Facts,
  target: Target,
  into: { readonly found: Set<InstanceFacts['state']>; readonly after: Set<string> },
): void {
  const own = factsOf(facts, target.instance);
  const [next, ...below] = target.below;
  if (next === undefined && (!target.open || (own !== undefined && own.pending !== true))) {
    if (own === undefined || own.pending === true) into.after.add(target.instance);
    else into.found.add(own.state);
    return;
  }
  if (target.open) {
    if (own?.keys === undefined) {
      if (own === undefined || own.pending === true) into.after.add(target.instance);
      else into.found.add(own.state === 'applied' ? 'skipped' : own.state);
      return;
    }
    for (const key of own.keys) {
      collectStates(facts, { ...target, instance: itemOf(target.instance, key), open: false }, into);
      if (into.after.size > 0) break;
    }
    return;
  }
  if (next === undefined) return;
  const instance = join(target.instance, next);
  collectStates(
    facts,
    { ...target, instance, entry: next, below, open: next.node.forEach !== undefined },
    into,
  );
}

/** A child of something that was skipped, or that stopped before it, never ran: nobody records that one by one. */
function factsOf(facts: Facts, instance: string): InstanceFacts | undefined {
  const own = facts(instance);
  if (own !== undefined) return own;
  for (let above = parentOf(instance); above !== undefined; above = parentOf(above)) {
    const parent = facts(above);
    if (parent === undefined) continue;
    if (parent.pending === true || parent.state === 'applied') return undefined;
    return { state: parent.state === 'skipped' ? 'skipped' : 'notRun' };
  }
  return undefined;
}

function join(base: string, entry: Entry): string {
  const separator = entry.separator === '' ? '/' : entry.separator;
  return base === '' ? entry.node.id : `${base}${separator}${entry.node.id}`;
}

const keySets = new WeakMap<readonly string[], ReadonlySet<string>>();

function keySet(keys: readonly string[]): ReadonlySet<string> {
  const known = keySets.get(keys) ?? new Set(keys);
  keySets.set(keys, known);
  return known;
}

function unknown(after: string): Resolved {
  return { state: 'unknown', after: [after] };
}

function noOutputs(id: string, facts: InstanceFacts): string {
  const why = { applied: 'gave no outputs', skipped: 'was skipped', notRun: 'did not run', failed: 'failed' };
  return `step "${id}" ${why[facts.state]}, so it has no outputs`;
}

function missingField(id: string, of: 'outputs' | 'before', rest: readonly string[]): Resolved {
  return { state: 'missing', why: `steps.${id}.${of} has no "${rest.join('.')}"` };
}
