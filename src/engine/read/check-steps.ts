import type { SchemaNode } from '../step-schema.ts';
import type { AnyStepType } from '../step-type.ts';
import { nameHint } from '../suggest.ts';
import { checkCel } from './check-cel.ts';
import { checkValue } from './check-inputs.ts';
import { checkRules } from './check-rules.ts';
import { checkTemplate } from './check-template.ts';
import { checkInput, durationProblem } from './check-with.ts';
import { type Context, type Included, outputsOf, report } from './context.ts';
import { elementSchema } from './element-schema.ts';
import { inputSchema } from './input-schema.ts';
import type { Site } from './names.ts';
import { elementName, type Item } from './outline.ts';
import type { InputSpec } from './runbook.ts';
import { entryOf, jsonObjectOf, type MapTree, type ScalarTree, type Tree, textOf, valueAt } from './tree.ts';

/** Everything that a step says, where it stands. */
export function checkStep(context: Context, item: Item): void {
  checkRules(context, item);
  checkForEach(context, item);
  const site: Site = { reader: item, element: true };
  const cel = (key: string, place: Site) => {
    const scalar = scalarAt(item.tree, key);
    if (scalar !== undefined) checkCel(context, scalar, { site: place, expected: 'boolean' });
  };
  cel('when', site);
  for (const key of ['name', 'confirm']) {
    const scalar = scalarAt(item.tree, key);
    if (scalar !== undefined) checkTemplate(context, scalar, { site });
  }
  if (item.kind === 'step') checkWith(context, item, site);
  if (item.kind === 'include') checkIncludeWith(context, item, site);
  checkDurations(context, item, site);
  const outputs = outputsOf(context, item);
  cel('expect', outputs === undefined ? site : { ...site, own: { outputs } });
}

function scalarAt(tree: MapTree, key: string): ScalarTree | undefined {
  const value = valueAt(tree, key);
  return value?.kind === 'scalar' ? value : undefined;
}

function checkForEach(context: Context, item: Item): void {
  const list = valueAt(item.tree, 'forEach');
  if (list === undefined) return;
  const outer: Site = { reader: item, element: false };
  let element: SchemaNode = {};
  if (list.kind === 'scalar')
    element = checkCel(context, list, { site: outer, expected: 'list' })?.items ?? {};
  else {
    checkInput(context, list, { schema: undefined, secret: false, site: outer });
    if (list.kind === 'list') element = elementSchema(list);
  }
  context.elements.set(item, element);
  const key = scalarAt(item.tree, 'key');
  const name = elementName(item) ?? 'item';
  const around = item.chain.slice(0, -1).find((other) => elementName(other) === name);
  const named = entryOf(item.tree, 'as') ?? entryOf(item.tree, 'forEach');
  if (around !== undefined && named !== undefined)
    report(context, named.key === 'as' ? named.value.range : named.keyRange, {
      code: 'duplicate-id',
      message: `the element is called "${name}", as that of the forEach around it`,
      hint: 'give it another name with "as"',
      related: [
        {
          location: {
            file: context.file,
            range: entryOf(around.tree, 'forEach')?.keyRange ?? around.tree.range,
          },
          message: 'the forEach around it',
        },
      ],
    });
  if (key !== undefined) checkCel(context, key, { site: { reader: item, element: true }, expected: 'any' });
  else if (element.type === 'object')
    report(context, entryOf(item.tree, 'forEach')?.keyRange ?? list.range, {
      code: 'missing-key',
      message: 'the elements are objects, so each instance needs a key',
      hint: `add key: ${name}.${Object.keys(element.properties ?? {})[0] ?? 'name'}`,
    });
  else if (list.kind === 'list') duplicateItems(context, list.items);
}

function duplicateItems(context: Context, items: readonly Tree[]): void {
  const seen = new Map<string, Tree>();
  for (const item of items) {
    if (item.kind !== 'scalar') continue;
    const key = String(item.value);
    const first = seen.get(key);
    if (first === undefined) seen.set(key, item);
    else
      report(context, item.range, {
        code: 'duplicate-item',
        message: `"${key}" stands in the list a second time, and its instances need keys of their own`,
        hint: 'remove it',
        related: [{ location: { file: context.file, range: first.range }, message: 'the first one' }],
      });
  }
}

function checkWith(context: Context, item: Item, site: Site): void {
  const schema = context.stepSchemas[item.uses]?.schema.properties.with;
  const tree = valueAt(item.tree, 'with');
  const before = context.found.length;
  const literal = tree === undefined || checkInput(context, tree, { schema, secret: false, site });
  if (!literal || context.found.length > before) return;
  // The type's own checks expect what the schema has proved.
  const type = context.steps.get(item.uses);
  const input = tree?.kind === 'map' ? jsonObjectOf(tree) : {};
  for (const problem of type === undefined ? [] : ownProblems(type, input)) {
    const found = nearest(item.tree, tree, problem.path);
    report(context, found, { code: 'invalid-with', message: problem.message, hint: problem.hint });
  }
}

function ownProblems(type: AnyStepType, input: unknown): ReturnType<NonNullable<AnyStepType['check']>> {
  return type.check?.(input as never) ?? [];
}

/** The place of a path in `with`, or the nearest one above it that is there. */
function nearest(step: MapTree, tree: Tree | undefined, path: readonly string[]): Tree['range'] {
  let range = entryOf(step, tree === undefined ? 'uses' : 'with')?.keyRange ?? step.range;
  let current = tree;
  for (const part of path) {
    const next: Tree | undefined =
      current?.kind === 'list'
        ? current.items[Number(part)]
        : current === undefined
          ? undefined
          : valueAt(current, part);
    if (next === undefined) break;
    const entry = current === undefined ? undefined : entryOf(current, part);
    range = next.kind === 'scalar' ? next.range : (entry?.keyRange ?? next.range);
    current = next;
  }
  return range;
}

/** What an included runbook is given, against the inputs it declares. */
function checkIncludeWith(context: Context, item: Item, site: Site): void {
  const included = context.includes.get(item);
  const tree = valueAt(item.tree, 'with');
  const entries = tree?.kind === 'map' ? [...tree.entries.values()] : [];
  for (const entry of entries) {
    const spec = included?.inputs[entry.key];
    if (included !== undefined && spec === undefined) unknownInput(context, item, { included, key: entry });
    else {
      const schema = spec === undefined ? undefined : givenSchema(spec);
      const secret = spec === undefined || spec.type === 'secret';
      const literal = checkInput(context, entry.value, { schema, secret, site });
      if (literal && spec !== undefined) givenValue(context, entry, spec);
    }
  }
  if (included === undefined) return;
  for (const [name, spec] of Object.entries(included.inputs)) {
    if (spec.required !== true || entries.some(({ key }) => key === name)) continue;
    report(
      context,
      entryOf(item.tree, 'with')?.keyRange ?? entryOf(item.tree, 'uses')?.value.range ?? item.tree.range,
      {
        code: 'missing-key',
        message: `${item.uses} needs the input "${name}"`,
        hint: `add it under "with" — ${spec.description}`,
      },
    );
  }
}

function givenSchema(spec: InputSpec): SchemaNode | undefined {
  // A service is given by name, or as it stands in an input of this runbook.
  return spec.type === 'service' ? { type: ['string', 'object'] } : inputSchema(spec);
}

function givenValue(
  context: Context,
  entry: { readonly key: string; readonly value: Tree; readonly keyRange: Tree['range'] },
  spec: InputSpec,
): void {
  if (spec.type === 'secret')
    report(context, entry.value.range, {
      code: 'secret-literal',
      message: `the secret "${entry.key}" is written in the runbook`,
      hint: 'hand on a secret input: "{{inputs.name}}"',
    });
  else checkValue(context, { tree: entry.value, entry, what: `the value of "${entry.key}"` }, spec);
}

function unknownInput(
  context: Context,
  item: Item,
  {
    included,
    key,
  }: {
    readonly included: Included;
    readonly key: { readonly key: string; readonly keyRange: Tree['range'] };
  },
): void {
  const names = Object.keys(included.inputs);
  report(context, key.keyRange, {
    code: 'unknown-key',
    message: `${item.uses} has no input "${key.key}"`,
    hint: nameHint(key.key, names, 'inputs') ?? 'it has no inputs',
  });
}

function checkDurations(context: Context, item: Item, site: Site): void {
  const until = valueAt(item.tree, 'until');
  const retry = valueAt(item.tree, 'retry');
  const places: readonly (readonly [Tree | undefined, readonly string[]])[] = [
    [item.tree, ['timeout']],
    [until, ['within', 'every']],
    [retry, ['delay', 'maxDelay']],
  ];
  for (const [tree, keys] of places)
    for (const key of keys) {
      const value = tree === undefined ? undefined : valueAt(tree, key);
      const text = textOf(value);
      if (value?.kind !== 'scalar' || text === undefined) continue;
      if (!text.includes('{{')) {
        const problem = durationProblem(text);
        if (problem !== undefined) report(context, value.range, problem);
      } else checkDurationTemplate(context, value, site);
    }
}

function checkDurationTemplate(context: Context, value: ScalarTree, site: Site): void {
  const exact = checkTemplate(context, value, { site, field: { schema: { type: 'string' } } });
  const input = /^\s*\{\{\s*inputs\.(\w+)\s*\}\}\s*$/.exec(String(value.value))?.[1];
  // What steps give is only known in the run; of an input the type is known now.
  if (input === undefined || exact?.type !== 'string' || exact['x-kind'] === 'duration') return;
  report(context, value.range, {
    code: 'template-type',
    message: `inputs.${input} is text, but a duration is needed`,
    hint: `declare it with type: duration`,
  });
}
