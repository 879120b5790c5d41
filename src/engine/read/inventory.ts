import { services as validateServices } from '../../generated/validators/services.js';
import type { Diagnostic, Result } from '../diagnostic.ts';
import { durationForm, parseDuration } from '../duration.ts';
import type { JsonObject } from '../json.ts';
import type { SchemaNode } from '../step-schema.ts';
import { nameHint } from '../suggest.ts';
import { decode } from './decode.ts';
import { parseYaml } from './parse.ts';
import { diagnose, jsonObjectOf, type MapTree, type ParsedFile, rangeOf, textOf, valueAt } from './tree.ts';
import { validateTree } from './validate.ts';

export type WorkloadKind = 'Deployment' | 'StatefulSet' | 'DaemonSet';

/** One service as `services.yaml` has it, with its name and the defaults filled in; what `inputs.<service>` gives. */
export interface InventoryService {
  readonly name: string;
  readonly title: string;
  readonly description?: string;
  /** Other names that operators may give. */
  readonly aliases: readonly string[];
  readonly namespace: string;
  readonly kind: WorkloadKind;
  readonly otherKinds: readonly WorkloadKind[];
  readonly resource: string;
  readonly resourceAliases: readonly string[];
  readonly selector: string;
  readonly container: string;
  readonly release?: string;
  readonly chart?: string;
  readonly replicas?: number;
  /** A duration. */
  readonly startupBudget: string;
  readonly restartStrategy: 'RollingUpdate' | 'OnDelete' | 'Recreate';
  readonly restartOrder: number;
  readonly risk: 'low' | 'medium' | 'high';
  readonly offlineConsequence?: string;
  readonly cluster: 'control-plane' | 'compute';
  readonly optional: boolean;
  readonly health?: {
    readonly service?: string;
    readonly port: number;
    readonly path: string;
    readonly scheme: 'http' | 'https';
  };
  readonly ports: Readonly<Record<string, number>>;
}

export interface Inventory {
  /** The namespace that holds the Leases. */
  readonly lockNamespace: string;
  /** By name, in the order of the file. */
  readonly services: ReadonlyMap<string, InventoryService>;
}

/** Bytes of a `services.yaml`; every mistake in it at its place. */
export function readInventory(path: string, bytes: Uint8Array): Result<Inventory> {
  const decoded = decode(path, bytes);
  if (!decoded.ok) return decoded;
  const parsed = parseYaml(decoded.file);
  if (!parsed.ok) return parsed;
  const { tree } = parsed;
  const wrong = validateTree({ file: decoded.file, tree, what: 'the inventory' }, validateServices);
  const diagnostics = wrong.length > 0 ? wrong : checkServices({ file: decoded.file, tree });
  if (diagnostics.length > 0) return { ok: false, diagnostics };
  return { ok: true, value: inventoryOf(tree), warnings: [] };
}

/** The service of a name or alias. */
export function findService(inventory: Inventory, name: string): InventoryService | undefined {
  const own = inventory.services.get(name);
  if (own !== undefined) return own;
  for (const service of inventory.services.values()) if (service.aliases.includes(name)) return service;
  return undefined;
}

/** 'did you mean "nvcf-api"?', or the names there are. */
export function serviceHint(inventory: Inventory, name: string): string | undefined {
  const names = [...inventory.services.values()].flatMap((service) => [service.name, ...service.aliases]);
  const near = nameHint(name, names, 'services');
  return near?.startsWith('did') === true ? near : "'runbook services' lists them";
}

const text: SchemaNode = { type: 'string' };

/** What a `service` input gives to templates and expressions: an `InventoryService`, its workload as found in the cluster. */
export const serviceSchema: SchemaNode = {
  type: 'object',
  additionalProperties: false,
  properties: {
    ...Object.fromEntries(
      [
        'name',
        'title',
        'description',
        'namespace',
        'kind',
        'resource',
        'selector',
        'container',
        'release',
        'chart',
        'restartStrategy',
        'risk',
        'offlineConsequence',
        'cluster',
      ].map((name) => [name, text]),
    ),
    startupBudget: { type: 'string', 'x-kind': 'duration' },
    aliases: { type: 'array', items: text },
    otherKinds: { type: 'array', items: text },
    resourceAliases: { type: 'array', items: text },
    replicas: { type: 'integer' },
    restartOrder: { type: 'integer' },
    optional: { type: 'boolean' },
    health: {
      type: 'object',
      additionalProperties: false,
      properties: { service: text, port: { type: 'integer' }, path: text, scheme: text },
    },
    ports: { type: 'object', additionalProperties: { type: 'integer' } },
  },
};

function inventoryOf(tree: MapTree): Inventory {
  const file = jsonObjectOf(tree) as JsonObject & {
    readonly lockNamespace: string;
    readonly services: Readonly<Record<string, JsonObject>>;
  };
  const services = Object.entries(file.services).map(
    ([name, entry]) => [name, serviceOf(name, entry)] as const,
  );
  return { lockNamespace: file.lockNamespace, services: new Map(services) };
}

function serviceOf(name: string, entry: JsonObject): InventoryService {
  const health =
    entry.health === undefined ? {} : { health: { scheme: 'http', ...(entry.health as JsonObject) } };
  // The schema has proved the shape.
  return {
    aliases: [],
    otherKinds: [],
    resourceAliases: [],
    restartOrder: 100,
    risk: 'medium',
    optional: false,
    ports: {},
    ...entry,
    ...health,
    name,
  } as unknown as InventoryService;
}

function checkServices({ file, tree }: ParsedFile): readonly Diagnostic[] {
  const services = valueAt(tree, 'services');
  if (services?.kind !== 'map') return [];
  const diagnostics: Diagnostic[] = [];
  const names = new Map<string, { readonly start: number; readonly end: number }>();
  for (const [name, entry] of services.entries) names.set(name, entry.keyRange);
  for (const [name, entry] of services.entries) {
    const budget = valueAt(entry.value, 'startupBudget');
    const written = textOf(budget);
    if (budget !== undefined && written !== undefined && parseDuration(written) === undefined)
      diagnostics.push(
        diagnose(file, budget.range, {
          code: 'bad-duration',
          message: `"${written}" is no duration`,
          hint: `write ${durationForm}`,
        }),
      );
    const aliases = valueAt(entry.value, 'aliases');
    for (const alias of aliases?.kind === 'list' ? aliases.items : []) {
      const taken = textOf(alias) ?? '';
      const first = names.get(taken);
      if (first === undefined) names.set(taken, rangeOf(alias, undefined));
      else
        diagnostics.push(
          diagnose(file, rangeOf(alias, undefined), {
            code: 'duplicate-id',
            message: `"${taken}" already names a service`,
            hint: `leave it out of the aliases of "${name}"`,
            related: [{ location: { file, range: first }, message: 'the first one' }],
          }),
        );
    }
  }
  return diagnostics;
}
