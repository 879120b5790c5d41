import { Environment } from '@marcbachmann/cel-js';
import { environmentOptions } from './expression-syntax.ts';
import { once } from './once.ts';
import type { SchemaNode } from './step-schema.ts';

/** What an expression may call a field of a schema. */
export function schemaKind(schema: SchemaNode): 'object' | 'open' | 'list' | 'scalar' | 'any' {
  if (schema['x-secret'] === true) return 'scalar';
  const type = schemaType(schema);
  if (type === 'array') return 'list';
  if (type !== 'object') return type === undefined ? 'any' : 'scalar';
  const { additionalProperties, properties } = schema;
  if (typeof additionalProperties === 'object') return properties === undefined ? 'object' : 'open';
  if (additionalProperties === true) return 'open';
  return properties === undefined && additionalProperties !== false ? 'open' : 'object';
}

/** The one type of a schema; undefined for unions and for schemas that say nothing. */
export function schemaType(schema: SchemaNode): string | undefined {
  if (typeof schema.type === 'string') return schema.type;
  if (schema.type !== undefined) return schema.type.length === 1 ? schema.type[0] : undefined;
  if (schema.properties !== undefined) return 'object';
  if (schema.items !== undefined) return 'array';
  const literals = schema.const === undefined ? schema.enum : [schema.const];
  if (literals === undefined) return undefined;
  const types = new Set(literals.map(literalType));
  return types.size === 1 ? [...types][0] : undefined;
}

function literalType(value: unknown): string | undefined {
  if (typeof value === 'number') return Number.isInteger(value) ? 'integer' : 'number';
  return typeof value === 'string' || typeof value === 'boolean' ? typeof value : undefined;
}

/** A secret stands in values of this schema, at any depth. */
export function holdsSecret(schema: SchemaNode): boolean {
  if (schema['x-secret'] === true) return true;
  const { properties = {}, items, additionalProperties } = schema;
  const children = [...Object.values(properties), items, additionalProperties];
  return children.some((child) => typeof child === 'object' && holdsSecret(child));
}

/** Children of a schema that a path names; empty when the path ends here and the whole is needed. */
export type Needs = Map<string, Needs>;

/** The parts of root variables that the paths of an expression name. */
export function needsOf(paths: readonly (readonly string[])[]): Needs {
  const root: Needs = new Map();
  const whole = new Set<Needs>();
  for (const path of paths) {
    let node = root;
    for (const part of path) {
      if (whole.has(node)) break;
      let next = node.get(part);
      if (next === undefined) {
        next = new Map();
        node.set(part, next);
      }
      node = next;
    }
    node.clear();
    whole.add(node);
  }
  return root;
}

const base = once(() => withOperators(new Environment(environmentOptions)));

/** An environment in which the named parts of the root variables have the types of their schemas. */
export function typedEnvironment(names: Readonly<Record<string, SchemaNode>>, needs: Needs): Environment {
  const environment = base().clone();
  const context: TypeContext = { environment, count: 0 };
  for (const [name, below] of needs) {
    const schema = Object.hasOwn(names, name) ? names[name] : undefined;
    if (schema !== undefined) environment.registerVariable(name, celType(schema, below, context));
  }
  return environment;
}

interface TypeContext {
  readonly environment: Environment;
  count: number;
}

function celType(schema: SchemaNode, needs: Needs, context: TypeContext): string {
  if (schema['x-secret'] === true) return 'dyn';
  switch (schemaType(schema)) {
    case 'string':
      return 'string';
    case 'integer':
      return 'int';
    case 'number':
      return 'double';
    case 'boolean':
      return 'bool';
    case 'array':
      return schema.items === undefined ? 'list' : `list<${celType(schema.items, new Map(), context)}>`;
    case 'object':
      return objectType(schema, needs, context);
    default:
      return 'dyn';
  }
}

function objectType(schema: SchemaNode, needs: Needs, context: TypeContext): string {
  if (schemaKind(schema) === 'open') return 'dyn';
  const { additionalProperties, properties = {} } = schema;
  if (typeof additionalProperties === 'object')
    return `map<string, ${celType(additionalProperties, new Map(), context)}>`;
  const fields: Record<string, string> = {};
  for (const name of needs.size === 0 ? Object.keys(properties) : needs.keys()) {
    const child = Object.hasOwn(properties, name) ? properties[name] : undefined;
    if (child !== undefined) fields[name] = celType(child, needs.get(name) ?? new Map(), context);
  }
  context.count += 1;
  const name = `Object${context.count}`;
  context.environment.registerType(name, { fields });
  return name;
}

/**
 * Numbers as an author sees them: whole and fractional ones compare and calculate with each other. The library has
 * `int < double` already, and equality only for values it does not know the type of.
 */
export function withOperators(environment: Environment): Environment {
  const both = (operator: string, calculate: (left: number, right: number) => number): void => {
    for (const types of [`double ${operator} int`, `int ${operator} double`])
      environment.registerOperator(`${types}: double`, (left: number | bigint, right: number | bigint) =>
        calculate(Number(left), Number(right)),
      );
  };
  both('+', (left, right) => left + right);
  both('-', (left, right) => left - right);
  both('*', (left, right) => left * right);
  both('/', (left, right) => left / right);
  environment.registerOperator(
    'double == int: bool',
    (left: number, right: bigint) => left === Number(right),
  );
  return environment;
}
