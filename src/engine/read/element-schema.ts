import type { SchemaNode } from '../step-schema.ts';
import type { ListTree, Tree } from './tree.ts';

/** What the elements of a list that is written out are; an empty schema when they differ or hold templates. */
export function elementSchema(list: ListTree): SchemaNode {
  const schemas = list.items.map(schemaOf);
  const [first] = schemas;
  if (first === undefined) return {};
  if (schemas.every(({ type }) => type === 'object')) return merged(schemas);
  return schemas.every(({ type }) => type === first.type && type !== 'array') ? first : {};
}

function schemaOf(tree: Tree): SchemaNode {
  if (tree.kind === 'list') return { type: 'array', items: elementSchema(tree) };
  if (tree.kind === 'map')
    return {
      type: 'object',
      additionalProperties: false,
      properties: Object.fromEntries(
        [...tree.entries.values()].map(({ key, value }) => [key, schemaOf(value)]),
      ),
    };
  const { value } = tree;
  if (typeof value === 'string') return /^\s*\{\{[^}]*\}\}\s*$/.test(value) ? {} : { type: 'string' };
  if (typeof value === 'number') return { type: Number.isInteger(value) ? 'integer' : 'number' };
  return typeof value === 'boolean' ? { type: 'boolean' } : {};
}

/** The fields of all elements; one whose type differs between them is open. */
function merged(schemas: readonly SchemaNode[]): SchemaNode {
  const properties: Record<string, SchemaNode> = {};
  for (const schema of schemas)
    for (const [name, field] of Object.entries(schema.properties ?? {})) {
      const known = Object.hasOwn(properties, name) ? properties[name] : undefined;
      properties[name] =
        known === undefined || (known.type === field.type && field.type !== 'object') ? field : {};
    }
  return { type: 'object', additionalProperties: false, properties };
}
