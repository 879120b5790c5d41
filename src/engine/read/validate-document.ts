import { runbook as validateRunbook } from '../../generated/validators/runbook.js';
import type { Diagnostic } from '../diagnostic.ts';
import { nameHint, suggest } from '../suggest.ts';
import type { Catalogue } from './context.ts';
import { namesFile, stepTrees } from './outline.ts';
import { at, diagnose, entryOf, type MapEntry, type ParsedFile, shorten, textOf, valueAt } from './tree.ts';
import { validateTree } from './validate.ts';

/** The shape of a whole document: its own keys, and each step's `with` by the schema of its type. */
export function validateDocument(catalogue: Catalogue, { file, tree }: ParsedFile): readonly Diagnostic[] {
  const misplaced = (path: readonly string[], key: string) => {
    const step = at(tree, path)?.tree;
    const type = step === undefined ? undefined : textOf(valueAt(step, 'uses'));
    const fields =
      type === undefined ? undefined : catalogue.stepSchemas[type]?.schema.properties.with.properties;
    if (fields === undefined || !Object.hasOwn(fields, key)) return undefined;
    return `it is an input of ${type}: write it under "with"`;
  };
  const diagnostics = [...validateTree({ file, tree, what: 'the runbook', misplaced }, validateRunbook)];
  for (const step of stepTrees(tree)) diagnostics.push(...validateStep(catalogue, { file, tree: step }));
  return diagnostics;
}

function validateStep(catalogue: Catalogue, { file, tree }: ParsedFile): readonly Diagnostic[] {
  const uses = entryOf(tree, 'uses');
  const type = textOf(uses?.value);
  if (
    entryOf(tree, 'steps') !== undefined ||
    uses === undefined ||
    type === undefined ||
    type === '' ||
    namesFile(type)
  )
    return [];
  const schema = catalogue.stepSchemas[type];
  if (schema === undefined || !catalogue.steps.has(type))
    return [unknownType(catalogue, file, { type, uses })];
  const given = entryOf(tree, 'with');
  // A "with" of another type was reported with the envelope.
  if (given !== undefined && given.value.kind !== 'map') return [];
  if (given === undefined)
    return missingWith(schema.schema.properties.with.required ?? [], { file, tree, type });
  return validateTree({ file, tree: given.value, entry: given, what: `"with" of ${type}` }, schema.template);
}

function missingWith(
  required: readonly string[],
  { file, tree, type }: ParsedFile & { readonly type: string },
): readonly Diagnostic[] {
  const uses = entryOf(tree, 'uses');
  const misspelt = [...tree.entries.keys()].some((key) => suggest(key, ['with']) !== undefined);
  if (required.length === 0 || uses === undefined || misspelt) return [];
  return [
    diagnose(file, uses.value.range, {
      code: 'missing-key',
      message: `the key "with" is missing: ${type} needs ${required.join(', ')}`,
      hint: `add with: {${required.map((name) => `${name}: …`).join(', ')}}`,
    }),
  ];
}

function unknownType(
  catalogue: Catalogue,
  file: ParsedFile['file'],
  { type, uses }: { readonly type: string; readonly uses: MapEntry },
): Diagnostic {
  const template = type.includes('{{');
  return diagnose(file, uses.value.range, {
    code: 'unknown-step-type',
    message: `there is no step type "${shorten(type)}"`,
    hint: template
      ? 'the step type is read before anything is rendered: write it out'
      : typeHint(catalogue, type),
  });
}

function typeHint({ typeNames }: Catalogue, type: string): string {
  const near = nameHint(type, typeNames, 'step types');
  if (near?.startsWith('did') === true) return near;
  const action = typeNames.find((name) => name.split('.').at(-1) === type);
  return action === undefined
    ? "'runbook steps' lists them; another runbook is written ./name.yaml"
    : `did you mean "${action}"?`;
}
