import { isJsonObject, plainJson } from '../canonical-json.ts';
import type { Json, JsonObject } from '../json.ts';
import { checkInputValue } from '../read/input-value.ts';
import type { Inventory, InventoryService } from '../read/inventory.ts';
import type { IncludeNode, InputSpec, Node } from '../read/runbook.ts';
import { containsSecret } from '../secret.ts';
import { nameHint } from '../suggest.ts';
import type { Resolved, Value } from '../value.ts';
import type { Plan } from './plan.ts';

/** What the inputs of an included runbook are made of. */
export interface IncludeInputs {
  readonly include: IncludeNode;
  /** As they were when the include was entered, without secrets; undefined before. */
  readonly recorded: JsonObject | undefined;
  readonly services: Plan['services'];
  /** In the scope around the include. */
  render(value: Json): Resolved;
}

/**
 * One input of an include: as recorded; secrets, and everything before it was entered, from what its `with` says. A value that its
 * declaration does not allow is missing, and says why.
 */
export function includeInput(given: IncludeInputs, name: string): Resolved {
  const { include, recorded } = given;
  const spec = Object.hasOwn(include.inputs, name) ? include.inputs[name] : undefined;
  if (spec === undefined) {
    const hint = nameHint(name, Object.keys(include.inputs), 'inputs');
    return missing(`${include.title} has no input "${name}"${hint === undefined ? '' : `: ${hint}`}`);
  }
  const absent = missing(`input "${name}" of "${include.id}" was not given and has no default`);
  if (recorded !== undefined && spec.type !== 'secret') {
    const value = Object.hasOwn(recorded, name) ? recorded[name] : undefined;
    return value === undefined ? absent : { state: 'known', value };
  }
  const written = Object.hasOwn(include.with, name) ? include.with[name] : undefined;
  const found: Resolved =
    written !== undefined
      ? given.render(written)
      : spec.default === undefined
        ? absent
        : { state: 'known', value: spec.default };
  if (found.state !== 'known' || spec.type === 'secret') return found;
  return checked(given, { name, spec }, found.value);
}

/** All that are there, as one object. */
export function allIncludeInputs(given: IncludeInputs): Resolved {
  const value: Record<string, Value> = {};
  for (const name of Object.keys(given.include.inputs)) {
    const one = includeInput(given, name);
    if (one.state === 'unknown') return one;
    if (one.state === 'known') value[name] = one.value;
  }
  return { state: 'known', value };
}

/** The inventory by name, if any include takes a service. */
export function servicesFor(
  nodes: readonly Node[],
  inventory: Pick<Inventory, 'services'> | undefined,
): Plan['services'] {
  if (inventory === undefined || !nodes.some(takesService)) return undefined;
  const entries = [...inventory.services].map(([name, service]) => [name, objectOf(service)] as const);
  return Object.fromEntries(entries);
}

function objectOf(service: InventoryService): JsonObject {
  const entry = plainJson(service);
  return isJsonObject(entry) ? entry : {};
}

function takesService(node: Node): boolean {
  const undo = Array.isArray(node.rollback) ? (node.rollback as readonly Node[]) : [];
  if (node.kind === 'step') return [...(node.verify ?? []), ...undo].some(takesService);
  if (node.kind === 'group') return [...node.children, ...undo].some(takesService);
  if (Object.values(node.inputs).some((spec) => spec.type === 'service' || spec.of === 'service'))
    return true;
  return [...node.preconditions, ...node.children, ...node.verifications, ...node.rollback].some(
    takesService,
  );
}

interface Declared {
  readonly name: string;
  readonly spec: InputSpec;
}

function checked(given: IncludeInputs, { name, spec }: Declared, value: Value): Resolved {
  // Text that mixes in a secret cannot be looked at; the step that gets it checks it.
  if (containsSecret(value)) return { state: 'known', value };
  const plain = value as Json;
  const problem =
    spec.type === 'service' || spec.of === 'service'
      ? resolveServices(given.services, plain)
      : checkInputValue(spec, plain, undefined);
  if (problem.ok) return { state: 'known', value: problem.value };
  return missing(`input "${name}" of "${given.include.id}" ${problem.problem.message}`);
}

type Resolution = ReturnType<typeof checkInputValue>;

/** Names become entries of the inventory; entries stay what they are. */
function resolveServices(services: Plan['services'], value: Json): Resolution {
  if (typeof value === 'string') {
    const entry = services === undefined ? undefined : find(services, value);
    return entry === undefined ? unknownService(services, value) : { ok: true, value: entry };
  }
  if (Array.isArray(value)) {
    const items = value.map((item: Json) => resolveServices(services, item));
    const bad = items.find((item) => !item.ok);
    return bad ?? { ok: true, value: items.flatMap((item) => (item.ok ? [item.value] : [])) };
  }
  return { ok: true, value };
}

function find(services: NonNullable<Plan['services']>, name: string): JsonObject | undefined {
  if (Object.hasOwn(services, name)) return services[name];
  return Object.values(services).find(({ aliases }) => Array.isArray(aliases) && aliases.includes(name));
}

function unknownService(services: Plan['services'], name: string): Resolution {
  const hint = nameHint(name, Object.keys(services ?? {}), 'services');
  const message = `is "${name}", not a service of the inventory${hint === undefined ? '' : `: ${hint}`}`;
  return { ok: false, problem: { code: 'input-service', message } };
}

function missing(why: string): Resolved {
  return { state: 'missing', why };
}
