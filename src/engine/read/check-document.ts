import type { SchemaNode } from '../step-schema.ts';
import { checkInputs } from './check-inputs.ts';
import { checkStep } from './check-steps.ts';
import { checkTemplate } from './check-template.ts';
import { type Context, effectOf, report } from './context.ts';
import type { Item, Outline } from './outline.ts';
import { entryOf, jsonOf, type ScalarTree, shorten, type Tree, valueAt } from './tree.ts';

/** Steps of one run, those of included runbooks counted in. */
export const maxSteps = 10_000;

/** All that a document means: names, types, effects. Gives the types of its outputs. */
export function checkDocument(context: Context): SchemaNode {
  checkIds(context);
  checkInputs(context);
  for (const item of context.outline.all) checkStep(context, item);
  plainTexts(context);
  const locks = valueAt(context.tree, 'locks');
  for (const lock of locks?.kind === 'list' ? locks.items : [])
    if (lock.kind === 'scalar')
      checkTemplate(context, lock, { site: { reader: 'outputs', element: false, early: true } });
  const outputs = checkOutputs(context);
  if (!context.found.some(({ severity }) => severity === 'error')) unusedInputs(context);
  return outputs;
}

/** The first step of each id. */
export function directoryOf(outline: Outline): ReadonlyMap<string, Item> {
  const byId = new Map<string, Item>();
  for (const item of outline.all) if (!byId.has(item.id)) byId.set(item.id, item);
  return byId;
}

function checkIds(context: Context): void {
  const { byId } = context.directory;
  for (const item of context.outline.all) {
    const first = byId.get(item.id);
    const value = valueAt(item.tree, 'id');
    if (first === undefined || first === item || value === undefined) continue;
    report(context, value.range, {
      code: 'duplicate-id',
      message: `the id "${item.id}" is taken`,
      hint: 'an id is unique in its file: journals and references use it',
      related: [
        {
          location: { file: context.file, range: valueAt(first.tree, 'id')?.range ?? first.tree.range },
          message: 'the first step of this id',
        },
      ],
    });
  }
  const extra = context.outline.all[maxSteps];
  if (extra !== undefined)
    report(context, valueAt(extra.tree, 'id')?.range ?? extra.tree.range, {
      code: 'too-many-steps',
      message: `${context.outline.all.length} steps; ${maxSteps} are the limit`,
      hint: 'repeat a step with forEach, or split the procedure into several runs',
    });
}

/** Texts that are shown as they are written. */
function plainTexts(context: Context): void {
  for (const key of ['title', 'description']) {
    const value = valueAt(context.tree, key);
    if (value?.kind !== 'scalar' || !String(value.value).includes('{{')) continue;
    report(context, value.range, {
      code: 'template-not-allowed',
      severity: 'warning',
      message: `"${key}" is shown as it is written, braces included`,
      hint: 'templates work in "name", "confirm", "with", "locks" and "outputs"',
    });
  }
}

function checkOutputs(context: Context): SchemaNode {
  const outputs = valueAt(context.tree, 'outputs');
  const properties: Record<string, SchemaNode> = {};
  if (outputs?.kind === 'map')
    for (const { key, value } of outputs.entries.values())
      if (value.kind === 'scalar') properties[key] = outputSchema(context, value);
  return { type: 'object', additionalProperties: false, properties };
}

function outputSchema(context: Context, value: ScalarTree): SchemaNode {
  const exact = checkTemplate(context, value, { site: { reader: 'outputs', element: false } });
  if (exact !== undefined) return exact;
  if (typeof value.value === 'string')
    return /^\s*\{\{[^}]*\}\}\s*$/.test(value.value) ? {} : { type: 'string' };
  return { type: typeof value.value === 'boolean' ? 'boolean' : 'number' };
}

function unusedInputs(context: Context): void {
  const inputs = valueAt(context.tree, 'inputs');
  for (const [name, entry] of inputs?.kind === 'map' ? inputs.entries : [])
    if (!context.usedInputs.has(name))
      report(context, entry.keyRange, {
        code: 'unused-input',
        severity: 'warning',
        message: `the input "${shorten(name)}" is used nowhere`,
        hint: 'remove it, or read it as inputs.…',
      });
}

/** The first step that changes something in a run without failures. */
export function firstChange(context: Context): string | undefined {
  for (const item of context.outline.all) {
    if (item.block === 'rollback' || item.chain.some(({ place }) => place === 'undo')) continue;
    if (item.kind === 'include' && context.includes.get(item)?.changing !== undefined) return item.id;
    const input: Tree | undefined = entryOf(item.tree, 'with')?.value;
    if (effectOf(context, item, input === undefined ? {} : jsonOf(input)) === 'change') return item.id;
  }
  return undefined;
}
