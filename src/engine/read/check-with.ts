import { durationForm, parseDuration } from '../duration.ts';
import { checkExpression } from '../expression.ts';
import type { SchemaNode } from '../step-schema.ts';
import { serviceName } from './check-inputs.ts';
import { checkTemplate } from './check-template.ts';
import { type Context, report } from './context.ts';
import type { Site } from './names.ts';
import { type Problem, type ScalarTree, shorten, type Tree } from './tree.ts';
import { partOf } from './value-position.ts';

interface Part {
  readonly schema: SchemaNode | undefined;
  /** A secret may stand here or above. */
  readonly secret: boolean;
}

/** Every text of a step's `with`: its templates, and what a literal has to be by its kind. True when nothing is templated. */
export function checkInput(context: Context, tree: Tree, place: Part & { readonly site: Site }): boolean {
  const secret = place.secret || place.schema?.['x-secret'] === true;
  if (tree.kind === 'scalar') return checkScalar(context, tree, { ...place, secret });
  let literal = true;
  if (tree.kind === 'list')
    for (const item of tree.items)
      literal = checkInput(context, item, { ...place, schema: place.schema?.items, secret }) && literal;
  else
    for (const { key, value } of tree.entries.values())
      literal = checkInput(context, value, { ...place, schema: below(place.schema, key), secret }) && literal;
  return literal;
}

function below(schema: SchemaNode | undefined, key: string): SchemaNode | undefined {
  if (schema?.properties !== undefined && Object.hasOwn(schema.properties, key))
    return schema.properties[key];
  return typeof schema?.additionalProperties === 'object' ? schema.additionalProperties : undefined;
}

function checkScalar(context: Context, scalar: ScalarTree, place: Part & { readonly site: Site }): boolean {
  const { value } = scalar;
  if (typeof value !== 'string') return true;
  const open = value.indexOf('{{');
  if (open === -1) {
    checkKind(context, scalar, place.schema?.['x-kind']);
    return true;
  }
  if (place.schema?.['x-literal'] === true)
    report(context, partOf(context.file, scalar, { start: open, end: value.length }), {
      code: 'template-not-allowed',
      message: 'no template may stand here: the value is read before anything is rendered',
      hint: 'write the value itself',
    });
  else checkTemplate(context, scalar, { site: place.site, field: place });
  return false;
}

/** What a literal text of a kind has to look like. */
function checkKind(context: Context, scalar: ScalarTree, kind: string | undefined): void {
  const text = String(scalar.value);
  if (kind === undefined) return;
  if (kind === 'service') serviceName(context, scalar);
  const problem = kind === 'cel' ? celProblem(text) : kindProblem(kind, text);
  if (problem !== undefined) report(context, scalar.range, problem);
}

export function durationProblem(text: string): Problem | undefined {
  if (parseDuration(text) !== undefined) return undefined;
  const spaced = text.replace(/\s+/g, '');
  const bare = /^\d+$/.test(text) ? `${text}s` : spaced;
  const fixed = parseDuration(bare) === undefined ? undefined : bare;
  return {
    code: 'bad-duration',
    message: `"${shorten(text)}" is no duration`,
    hint: `write ${durationForm}${fixed === undefined ? '' : `; here perhaps ${fixed}`}`,
  };
}

function kindProblem(kind: string, text: string): Problem | undefined {
  if (kind === 'duration') return durationProblem(text);
  if (!/^(namespace|name|container|selector)$/.test(kind)) return undefined;
  if (text.trim() === '')
    return {
      code: 'empty-value',
      message: `the ${kind} is empty`,
      hint: `write the ${kind}; nothing is taken for granted`,
    };
  const foreign = /[^\x20-\x7e]/.exec(text)?.[0];
  if (foreign !== undefined)
    return {
      code: 'bad-name',
      message: `the ${kind} holds "${foreign}", which no ${kind} in Kubernetes has`,
      hint: 'it may only look like the letter that you mean: type it again',
    };
  if (kind === 'namespace' && !/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/.test(text))
    return {
      code: 'bad-name',
      message: `"${shorten(text)}" cannot be a namespace`,
      hint: 'lowercase letters, digits and dashes, at most 63',
    };
  if (kind !== 'selector' && (/\s/.test(text) || text.startsWith('-')))
    return {
      code: 'bad-name',
      message: `"${shorten(text)}" cannot be a ${kind}`,
      hint: 'no blanks, and no dash in front',
    };
  return undefined;
}

function celProblem(text: string): Problem | undefined {
  const problem = checkExpression(text, {}, 'any').problems.find(({ code }) => code === 'cel-syntax');
  return problem === undefined
    ? undefined
    : { code: problem.code, message: problem.message, hint: problem.hint };
}
