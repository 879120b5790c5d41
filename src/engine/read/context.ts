import type { Diagnostic } from '../diagnostic.ts';
import type { ExpressionCheck } from '../expression.ts';
import type { Range, SourceFile } from '../source-file.ts';
import type { ReadStepSchema, SchemaNode } from '../step-schema.ts';
import type { Effect, StepRegistry } from '../step-type.ts';
import type { Inventory } from './inventory.ts';
import type { Item, Outline } from './outline.ts';
import type { InputSpec } from './runbook.ts';
import { diagnose, type MapTree, type Problem } from './tree.ts';
import type { Directory } from './visibility.ts';

/** What readers of any document need to know of the world. */
export interface Catalogue {
  /** Every step type there is. */
  readonly typeNames: readonly string[];
  /** Those that the documents use, so far. */
  readonly steps: StepRegistry;
  readonly stepSchemas: Readonly<Record<string, ReadStepSchema>>;
  /** Asked only when a service is named. */
  readonly inventory: () => Inventory | undefined;
}

/** What is known of another runbook that a step includes. */
export interface Included {
  readonly inputs: Readonly<Record<string, InputSpec>>;
  readonly outputs: SchemaNode;
  readonly locks: readonly string[];
  /** The first step that changes something; undefined when none does. */
  readonly changing: string | undefined;
}

/** One document while its meaning is checked. */
export interface Context extends Catalogue {
  readonly file: SourceFile;
  readonly tree: MapTree;
  readonly outline: Outline;
  readonly directory: Directory;
  readonly inputs: Readonly<Record<string, InputSpec>>;
  readonly inputsSchema: SchemaNode;
  /** Undefined: the included document has errors of its own. */
  readonly includes: ReadonlyMap<Item, Included | undefined>;
  /** Types of `forEach` elements, filled in document order. */
  readonly elements: Map<Item, SchemaNode>;
  readonly usedInputs: Set<string>;
  /** Expressions that were checked, by what was asked. */
  readonly checked: Map<
    string,
    { readonly names: Readonly<Record<string, SchemaNode>>; readonly check: ExpressionCheck }
  >;
  readonly found: Diagnostic[];
}

export function report(context: Pick<Context, 'file' | 'found'>, range: Range, problem: Problem): void {
  context.found.push(diagnose(context.file, range, problem));
}

/** Of this use of its type; undefined for a group, an include, and a type that does not exist. */
export function effectOf(context: Catalogue, item: Item, input: unknown): Effect | undefined {
  const type = item.kind === 'step' ? context.steps.get(item.uses) : undefined;
  if (type === undefined || type.effect === 'read') return type?.effect;
  return type.effectOf?.((input ?? {}) as never) ?? 'change';
}

/** What a step's own outputs look like; undefined when it has none, an empty schema when nobody knows. */
export function outputsOf(context: Context, item: Item): SchemaNode | undefined {
  if (item.kind === 'group') return undefined;
  if (item.kind === 'include') return context.includes.get(item)?.outputs ?? {};
  return context.stepSchemas[item.uses]?.schema.properties.outputs ?? {};
}
