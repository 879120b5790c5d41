import { isJsonObject } from '../canonical-json.ts';
import type { Json } from '../json.ts';
import { Secret } from '../secret.ts';
import type { SchemaNode, StepSchema } from '../step-schema.ts';
import type { Value } from '../value.ts';

/** What is wrong with a rendered `with`, a line each: 'replicas must be integer'. Secrets count as text, and only where one may stand. */
export function checkWith(schema: StepSchema, input: Value): readonly string[] {
  const misplaced = secretsOutOfPlace(schema.schema.properties.with, input, 'with');
  const wrong = schema.with(asText(input)) ? [] : (schema.with.errors ?? []).map(sayProblem);
  return [...new Set([...misplaced, ...wrong])];
}

type ErrorObject = NonNullable<StepSchema['with']['errors']>[number];

function sayProblem(error: ErrorObject): string {
  const field = error.instancePath.slice(1).replaceAll('/', '.').replaceAll('~1', '/').replaceAll('~0', '~');
  const where = field === '' ? 'with' : field;
  const params: Readonly<Record<string, unknown>> = error.params;
  const allowed = params.allowedValues;
  if (error.keyword === 'additionalProperties') return `${where} has no field "${params.additionalProperty}"`;
  if (error.keyword === 'enum' && Array.isArray(allowed))
    return `${where} must be one of ${allowed.map(String).join(', ')}`;
  if (error.keyword === 'minLength') return `${where} must not be empty`;
  return `${where} ${error.message ?? 'is not valid'}`;
}

function asText(value: Value): Json {
  if (value instanceof Secret) return value.toString();
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(asText);
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, asText(item)]));
}

function secretsOutOfPlace(schema: SchemaNode | undefined, value: Value, path: string): readonly string[] {
  if (value instanceof Secret)
    return mayBeSecret(schema) ? [] : [`${path} may not hold a secret (${value.name})`];
  if (typeof value !== 'object' || value === null) return [];
  const below = (key: string, item: Value) => secretsOutOfPlace(child(schema, key), item, `${path}.${key}`);
  return Object.entries(value).flatMap(([key, item]) => below(key, item));
}

function mayBeSecret(schema: SchemaNode | undefined): boolean {
  if (schema === undefined) return false;
  return schema['x-secret'] === true || variants(schema).some(mayBeSecret);
}

function child(schema: SchemaNode | undefined, key: string): SchemaNode | undefined {
  if (schema === undefined) return undefined;
  const own = schema.properties?.[key] ?? schema.items ?? extra(schema);
  const found = [own, ...variants(schema).map((variant) => child(variant, key))].filter(
    (node) => node !== undefined,
  );
  return found.length > 1 ? { anyOf: found } : found[0];
}

function extra(schema: SchemaNode): SchemaNode | undefined {
  return isJsonObject(schema.additionalProperties) ? (schema.additionalProperties as SchemaNode) : undefined;
}

function variants(schema: SchemaNode): readonly SchemaNode[] {
  return [...(schema.oneOf ?? []), ...(schema.anyOf ?? []), ...(schema.allOf ?? [])];
}
