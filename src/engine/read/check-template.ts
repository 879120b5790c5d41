import { holdsSecret, schemaType } from '../expression-types.ts';
import type { SchemaNode } from '../step-schema.ts';
import { nameHint } from '../suggest.ts';
import { parseTemplate, type TemplateReference } from '../template.ts';
import { type Context, report } from './context.ts';
import { type Followed, follow, lookFrom, rootNames, type Site, stepSchema } from './names.ts';
import { diagnose, type Problem, type ScalarTree } from './tree.ts';
import { partOf } from './value-position.ts';

/** What the value is for. */
export interface Field {
  /** Of the rendered value; undefined when nothing is known. */
  readonly schema?: SchemaNode | undefined;
  /** A secret may stand here. */
  readonly secret?: boolean;
}

/** Checks a text that may hold templates. Gives the type of the value when the text is exactly one reference. */
export function checkTemplate(
  context: Context,
  scalar: ScalarTree,
  place: { readonly site: Site; readonly field?: Field },
): SchemaNode | undefined {
  const text = scalar.value;
  if (typeof text !== 'string' || !text.includes('{{')) return undefined;
  const template = parseTemplate(text);
  if (!template.ok) {
    report(context, partOf(context.file, scalar, template), {
      code: 'template-syntax',
      message: template.message,
      hint: template.hint,
    });
    return undefined;
  }
  let exact: SchemaNode | undefined;
  for (const reference of template.references) {
    const check: Check = { context, scalar, text, exact: template.exact, ...place };
    const schema = checkReference(check, reference);
    if (template.exact) exact = schema;
  }
  return exact;
}

interface Check {
  readonly context: Context;
  readonly scalar: ScalarTree;
  readonly text: string;
  readonly exact: boolean;
  readonly site: Site;
  readonly field?: Field;
}

function checkReference(check: Check, reference: TemplateReference): SchemaNode | undefined {
  const schema = resolve(check, reference);
  if (schema === undefined) return undefined;
  const helper = /\{\{\s*(\w+)\s+$/.exec(check.text.slice(0, reference.start))?.[1];
  const problem =
    secretProblem(check, reference, schema) ?? typeProblem(check, { reference, schema, helper });
  if (problem !== undefined) say(check, reference, problem);
  return helper === undefined ? schema : { type: 'string' };
}

function say(check: Check, part: { readonly start: number; readonly end: number }, problem: Problem): void {
  report(check.context, partOf(check.context.file, check.scalar, part), problem);
}

/** The type that a reference leads to; undefined when it leads nowhere (then that is reported) or nobody knows. */
function resolve(check: Check, reference: TemplateReference): SchemaNode | undefined {
  const { context, site } = check;
  const { path } = reference;
  const [root = '', name] = path;
  const names = rootNames(context, site);
  if (root === 'steps') return resolveStep(check, reference);
  const schema = Object.hasOwn(names, root) ? names[root] : undefined;
  if (schema === undefined) {
    say(check, segment(check, reference, 0), unknownRoot(root, Object.keys(names), context));
    return undefined;
  }
  if (root === 'inputs' && name !== undefined) context.usedInputs.add(name);
  return land(check, reference, { followed: follow(schema, path, 1), root });
}

export const outputsHint =
  'only "expect" reads the own outputs of a step; write steps.<id>.outputs for those of an earlier one';

function unknownRoot(root: string, names: readonly string[], context: Context): Problem {
  const message = `there is no "${root}" here`;
  if (Object.hasOwn(context.inputs, root))
    return { code: 'unknown-name', message, hint: `write inputs.${root}` };
  if (context.directory.byId.has(root))
    return { code: 'unknown-name', message, hint: `write steps.${root}.outputs.…` };
  if (root === 'outputs') return { code: 'unknown-name', message, hint: outputsHint };
  return { code: 'unknown-name', message, hint: nameHint(root, [...names, 'steps'], 'names') };
}

function resolveStep(check: Check, reference: TemplateReference): SchemaNode | undefined {
  const { context, site } = check;
  const id = reference.path[1];
  if (id === undefined) {
    const hint = 'write steps.<id>.outputs.<name>';
    say(check, reference, { code: 'unknown-name', message: '"steps" alone is no value', hint });
    return undefined;
  }
  const visible = lookFrom(context, id, site);
  if (!visible.ok) {
    say(check, segment(check, reference, 1), stepProblem(context, visible));
    return undefined;
  }
  const schema = stepSchema(context, visible, site.reader);
  return land(check, reference, { followed: follow(schema, reference.path, 2), root: 'steps' });
}

/** The problem of a step that cannot be read, with the place where it is declared. */
export function stepProblem(
  context: Context,
  visible: ReturnType<typeof lookFrom> & { readonly ok: false },
): Problem {
  const entry = visible.declaredAt?.tree.entries.get('id');
  if (entry === undefined) return visible.problem;
  const location = diagnose(context.file, entry.value.range, visible.problem).location;
  return { ...visible.problem, related: [{ location, message: 'it is declared here' }] };
}

function land(
  check: Check,
  reference: TemplateReference,
  { followed, root }: { readonly followed: Followed; readonly root: string },
): SchemaNode | undefined {
  if (followed.ok) return followed.schema;
  const { index, names, kind } = followed;
  const part = reference.path[index] ?? '';
  const base = reference.path.slice(0, index).join('.');
  const input = root === 'inputs' && index === 1;
  const noun = input ? 'inputs' : 'it has';
  const missing =
    kind === 'object'
      ? `has no "${part}"`
      : `is ${kind === 'array' ? 'a list' : 'no object'}, so it has no "${part}"`;
  say(check, segment(check, reference, index), {
    code: input ? 'unknown-input' : 'unknown-field',
    message: input ? `there is no input "${part}"` : `${base} ${missing}`,
    hint: landHint({ kind, base }) ?? nameHint(part, names, noun),
  });
  return undefined;
}

function landHint({ kind, base }: { readonly kind: string; readonly base: string }): string | undefined {
  if (kind === 'array') return `write ${base}.0 for its first element`;
  return kind === 'object' ? undefined : `write {{${base}}}`;
}

/** The characters of one part of a reference's path. */
function segment(check: Check, reference: TemplateReference, index: number): { start: number; end: number } {
  let at = reference.start;
  for (let part = 0; part <= index; part++) {
    const name = reference.path[part] ?? '';
    const found = check.text.indexOf(name, at);
    if (found === -1 || found >= reference.end) return reference;
    if (part === index) return { start: found, end: found + name.length };
    at = found + name.length;
  }
  return reference;
}

function secretProblem(
  { field, exact }: Check,
  { path }: TemplateReference,
  schema: SchemaNode,
): Problem | undefined {
  if (field?.secret === true || !holdsSecret(schema)) return undefined;
  const name = path.join('.');
  return {
    code: 'secret-misplaced',
    message: `${name} is a secret and may not stand ${exact ? 'here' : 'in this text'}`,
    hint: 'a secret may only stand in fields that a step type marks for it; "runbook steps TYPE" shows which',
  };
}

function typeProblem(
  { field, exact }: Check,
  {
    reference,
    schema,
    helper,
  }: {
    readonly reference: TemplateReference;
    readonly schema: SchemaNode;
    readonly helper: string | undefined;
  },
): Problem | undefined {
  const name = reference.path.join('.');
  const given = helper === undefined ? schemaType(schema) : 'string';
  if (given === undefined || schema['x-secret'] === true) return undefined;
  const collection = given === 'array' || given === 'object';
  if (!exact) {
    if (!collection) return undefined;
    return {
      code: 'template-type',
      message: `${name} is ${words[given]}, which does not render as text`,
      hint:
        given === 'object' ? `name one of its fields: {{${name}.…}}` : `write {{json ${name}}} for its JSON`,
    };
  }
  const wanted = field?.schema === undefined ? undefined : wantedTypes(field.schema);
  if (wanted === undefined || wanted.some((type) => fits(given, type))) return undefined;
  return {
    code: 'template-type',
    message: `${name} is ${words[given] ?? given}, but ${wanted.map((type) => words[type] ?? type).join(' or ')} is needed`,
    hint: conversion(name, given, wanted),
  };
}

function wantedTypes(schema: SchemaNode): readonly string[] | undefined {
  if (schema.oneOf !== undefined || schema.anyOf !== undefined || schema.allOf !== undefined)
    return undefined;
  if (Array.isArray(schema.type)) return schema.type as readonly string[];
  const type = schemaType(schema);
  return type === undefined ? undefined : [type];
}

function fits(given: string, wanted: string): boolean {
  return given === wanted || (/^(integer|number)$/.test(given) && /^(integer|number)$/.test(wanted));
}

function conversion(name: string, given: string, wanted: readonly string[]): string | undefined {
  if (wanted.includes('string') && given !== 'object') return `write {{json ${name}}} for its text`;
  if (given === 'object') return `name one of its fields: {{${name}.…}}`;
  return given === 'string' ? `declare it with the type that is needed, or read another value` : undefined;
}

const words: Readonly<Record<string, string>> = {
  string: 'text',
  integer: 'a whole number',
  number: 'a number',
  boolean: 'true or false',
  array: 'a list',
  object: 'an object',
};
