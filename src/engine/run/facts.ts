import type { Json } from '../json.ts';
import { type InstanceFacts, itemOf } from '../plan/instance.ts';
import type { Plan } from '../plan/plan.ts';
import { nodeOf, type ScopeSource } from '../plan/scope.ts';
import type { Value } from '../value.ts';
import { withStandIns } from './output-secret.ts';
import type { Instance, RunState } from './state.ts';
import { get } from './table.ts';

type Items = NonNullable<Instance['items']>;

const known = new WeakMap<Instance, InstanceFacts>();
const keyLists = new WeakMap<Items, readonly string[]>();
const elements = new WeakMap<Items, ReadonlyMap<string, Json>>();
const notRun: InstanceFacts = { state: 'notRun' };

/** What templates and expressions see of a run as far as it has come. */
export function scopeSource(
  plan: Plan,
  state: RunState,
  inputs: Readonly<Record<string, Value>>,
): ScopeSource {
  return {
    plan,
    run: { id: state.run, startedAt: state.startedAt, user: state.user },
    inputs,
    facts: (id) => factsOf(plan, state, id),
  };
}

/** References lead to earlier steps only, so what has no instance did not run. */
function factsOf(plan: Plan, state: RunState, id: string): InstanceFacts | undefined {
  const instance = get(state.instances, id);
  if (instance === undefined) {
    const item = elementOf(plan, state, id);
    if (item !== undefined) return { ...notRun, item };
    // Of something inside a group that was skipped or failed, the group tells more.
    return /[/\]]/.test(id) ? undefined : notRun;
  }
  const facts = known.get(instance) ?? build(plan, state, instance);
  known.set(instance, facts);
  return facts;
}

function build(plan: Plan, state: RunState, instance: Instance): InstanceFacts {
  const { outputs, before, items } = instance;
  const item = elementOf(plan, state, instance.id);
  return {
    state: stateOf(instance),
    ...(outputs === undefined || items !== undefined ? {} : { outputs: withStandIns(instance.id, outputs) }),
    ...(before === undefined ? {} : { before: before.state }),
    ...(instance.with === undefined ? {} : { with: instance.with }),
    ...(item === undefined ? {} : { item }),
    ...(items === undefined ? {} : { keys: keysOf(items) }),
  };
}

function stateOf(instance: Instance): InstanceFacts['state'] {
  if (instance.stage === 'done') return 'applied';
  if (instance.stage === 'skipped') return 'skipped';
  if (instance.stage === 'failed' || instance.stage === 'unknown') return 'failed';
  return instance.took ? 'applied' : 'notRun';
}

function keysOf(items: Items): readonly string[] {
  const keys = keyLists.get(items) ?? items.map((item) => item.key);
  keyLists.set(items, keys);
  return keys;
}

function elementOf(plan: Plan, state: RunState, id: string): InstanceFacts['item'] {
  if (!id.endsWith(']')) return undefined;
  const expansion = id.slice(0, id.lastIndexOf('['));
  const items = get(state.instances, expansion)?.items;
  const name = nodeOf(plan, expansion)?.node.forEach?.as;
  if (items === undefined || name === undefined) return undefined;
  const values =
    elements.get(items) ?? new Map(items.map((item) => [itemOf(expansion, item.key), item.value]));
  elements.set(items, values);
  const value = values.get(id);
  return value === undefined ? undefined : { name, value };
}
