import type { ASTNode } from '@marcbachmann/cel-js';
import { type ExpressionProblem, lintNode, resultSchema } from './expression-lint.ts';
import {
  accessKey,
  binding,
  builtInNames,
  comprehension,
  hasArgument,
  type Loop,
  operands,
  type Reference,
  rangeOf,
  sourceOf,
} from './expression-tree.ts';
import { holdsSecret, schemaKind, schemaType } from './expression-types.ts';
import { functionNames, schemaWords, unknownFunction } from './expression-words.ts';
import type { SchemaNode } from './step-schema.ts';
import { nameHint, suggest } from './suggest.ts';

type Schema = SchemaNode | undefined;

/** What is known of a node; `path` when it leads from a root name by literal keys. */
interface Known {
  readonly schema: Schema;
  readonly path?: readonly string[];
}

interface Walk {
  readonly names: Readonly<Record<string, SchemaNode>>;
  readonly problems: ExpressionProblem[];
  readonly references: Reference[];
}

interface Scope {
  /** Variables of loops and bindings. */
  readonly bound: ReadonlyMap<string, Schema>;
  /** Inside `has()`: secrets and fields that may be absent are welcome. */
  readonly guarded: boolean;
}

/**
 * Everything that names decide, reported at once: unknown names and fields, open objects, secrets, and the mistakes
 * that `lintNode` knows; and all paths that are read.
 */
export function checkNames(
  root: ASTNode,
  names: Readonly<Record<string, SchemaNode>>,
): {
  readonly problems: readonly ExpressionProblem[];
  readonly references: readonly Reference[];
  /** Of the result, as far as it is known. */
  readonly schema: SchemaNode | undefined;
} {
  const walk: Walk = { names, problems: [], references: [] };
  const schema = visit(root, { bound: new Map(), guarded: false }, walk);
  return { ...walk, schema };
}

/** The node's schema, as far as it is known. */
function visit(node: ASTNode, scope: Scope, walk: Walk): Schema {
  if (node.op === 'id' || node.op === '.' || node.op === '[]') {
    const known = access(node, scope, walk);
    read(node, known, scope, walk);
    return known.schema;
  }
  const asked = hasArgument(node);
  if (asked !== undefined) return visitHas(asked, scope, walk);
  const loop = comprehension(node);
  if (loop !== undefined) return visitLoop(loop, scope, walk);
  const bind = binding(node);
  if (bind !== undefined) {
    const schema = visit(bind.value, scope, walk);
    return visit(bind.body, withVariable(scope, bind.variable, schema), walk);
  }
  if (unknownCall(node, walk)) {
    if (node.op === 'rcall') visit(node.args[1], scope, walk);
    return undefined;
  }
  const schemas = operands(node).map((operand) => visit(operand, scope, walk));
  walk.problems.push(...lintNode(node, schemas));
  return resultSchema(node, schemas);
}

/** Reported once, without its arguments: a misspelt `exists` would make its variable unknown too. */
function unknownCall(node: ASTNode, walk: Walk): boolean {
  if ((node.op !== 'call' && node.op !== 'rcall') || functionNames.includes(node.args[0])) return false;
  const [name] = node.args;
  const after = node.op === 'rcall' ? rangeOf(node.args[1]).end : node.start;
  const start = node.input.indexOf(name, after);
  const { message, hint } = unknownFunction(name);
  walk.problems.push({
    code: 'cel-unknown-name',
    severity: 'error',
    message,
    start,
    end: start + name.length,
    ...(hint === undefined ? {} : { hint }),
  });
  return true;
}

function visitHas(asked: ASTNode, scope: Scope, walk: Walk): SchemaNode {
  let base = asked;
  while (base.op === '.') base = base.args[0];
  if (asked.op === '.' && base.op === 'id') visit(asked, { ...scope, guarded: true }, walk);
  else
    walk.problems.push({
      code: 'cel-type',
      severity: 'error',
      message: 'has() takes names joined by dots',
      ...rangeOf(asked),
      hint: 'write has(outputs.name); whether a list has an element is asked with size()',
    });
  return { type: 'boolean' };
}

function visitLoop(loop: Loop, scope: Scope, walk: Walk): Schema {
  const list = visit(loop.list, scope, walk);
  const overKeys = list !== undefined && schemaType(list) === 'object';
  const element = overKeys ? { type: 'string' } : list?.items;
  const inner = withVariable(scope, loop.variable, element);
  const bodies = loop.bodies.map((body) => visit(body, inner, walk));
  if (loop.name !== 'filter' && loop.name !== 'map') return { type: 'boolean' };
  const items = loop.name === 'filter' ? element : bodies.at(-1);
  return items === undefined ? { type: 'array' } : { type: 'array', items };
}

function access(node: ASTNode, scope: Scope, walk: Walk): Known {
  if (node.op === 'id') return rootName(node, node.args, scope, walk);
  if (node.op !== '.' && node.op !== '[]') return { schema: visit(node, scope, walk) };
  const base = node.args[0];
  const known = access(base, scope, walk);
  const key = accessKey(node);
  if (key !== undefined) {
    const schema = field(node, key, known.schema, scope, walk);
    return known.path === undefined ? { schema } : { schema, path: [...known.path, key] };
  }
  if (node.op === '[]') visit(node.args[1], scope, walk);
  read(base, known, scope, walk);
  const { items, additionalProperties } = known.schema ?? {};
  return { schema: items ?? (typeof additionalProperties === 'object' ? additionalProperties : undefined) };
}

function rootName(node: ASTNode, name: string, scope: Scope, walk: Walk): Known {
  if (scope.bound.has(name)) return { schema: scope.bound.get(name) };
  if (Object.hasOwn(walk.names, name)) return { schema: walk.names[name], path: [name] };
  if (builtInNames.has(name)) return { schema: undefined };
  const candidates = [...scope.bound.keys(), ...Object.keys(walk.names)];
  const meant = suggest(name, candidates);
  walk.problems.push({
    code: 'cel-unknown-name',
    severity: 'error',
    message: `unknown name "${name}"`,
    ...rangeOf(node),
    hint:
      meant === undefined
        ? `known names: ${candidates.join(', ') || 'none'}; text stands in quotes`
        : `did you mean "${meant}"?`,
  });
  return { schema: undefined };
}

/** The schema of a field. A closed object that lacks it is an error, an open one a warning. */
function field(node: ASTNode, key: string, schema: Schema, scope: Scope, walk: Walk): Schema {
  if (schema === undefined || schema['x-secret'] === true) return schema;
  if (schema.properties !== undefined && Object.hasOwn(schema.properties, key)) return schema.properties[key];
  if (typeof schema.additionalProperties === 'object') return schema.additionalProperties;
  const kind = schemaKind(schema);
  const base = sourceOf(operands(node)[0] ?? node);
  const place = keyRange(node, key);
  if (kind === 'list' || kind === 'scalar') {
    walk.problems.push(fieldless(node, key, schema, place));
    return undefined;
  }
  if (kind === 'any') return undefined;
  if (kind === 'object') {
    const hint = nameHint(key, Object.keys(schema.properties ?? {}), 'it has');
    walk.problems.push({
      code: 'cel-unknown-field',
      severity: 'error',
      message: `${base} has no field "${key}"`,
      ...place,
      ...(hint === undefined ? {} : { hint }),
    });
  } else if (!scope.guarded) walk.problems.push(openObject(base, key, place));
  return undefined;
}

/** A field of a list, a text, a number. */
function fieldless(
  node: ASTNode,
  key: string,
  schema: SchemaNode,
  place: { readonly start: number; readonly end: number },
): ExpressionProblem {
  const base = sourceOf(operands(node)[0] ?? node);
  const problem = { code: 'cel-unknown-field', severity: 'error', ...place } as const;
  if (schemaKind(schema) === 'list' && node.op === '[]')
    return {
      ...problem,
      message: `${base} is a list, which is indexed with a whole number`,
      hint: 'ask the elements: .exists(x, …), .all(x, …), .filter(x, …)',
    };
  const message = `${base} is ${schemaWords(schema)} and has no field "${key}"`;
  if (/^(length|len|size|count)$/.test(key)) return { ...problem, message, hint: `write size(${base})` };
  return { ...problem, message };
}

function openObject(
  base: string,
  key: string,
  place: { readonly start: number; readonly end: number },
): ExpressionProblem {
  return {
    code: 'cel-unknown-field',
    severity: 'warning',
    message: `the fields of ${base} are only known in the run: nobody can check "${key}" before`,
    ...place,
    hint: `ask has(${base}.${key}) first`,
  };
}

/** A path ends here: it is read as a whole. */
function read(node: ASTNode, known: Known, scope: Scope, walk: Walk): void {
  const { schema, path } = known;
  if (path !== undefined) walk.references.push({ path, ...rangeOf(node) });
  if (scope.guarded || schema === undefined || !holdsSecret(schema)) return;
  const text = sourceOf(node);
  const itself = schema['x-secret'] === true;
  walk.problems.push({
    code: 'cel-type',
    severity: 'error',
    message: itself ? `${text} is a secret, which an expression cannot read` : `${text} holds secrets`,
    ...rangeOf(node),
    hint: itself ? `an expression may only ask has(${text})` : 'name the field that you need',
  });
}

function keyRange(node: ASTNode, key: string): { readonly start: number; readonly end: number } {
  if (node.op === '[]') return { start: node.args[1].start, end: node.args[1].end };
  return { start: node.end - key.length, end: node.end };
}

function withVariable(scope: Scope, variable: string, schema: Schema): Scope {
  return { ...scope, bound: new Map(scope.bound).set(variable, schema) };
}
