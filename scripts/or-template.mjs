const TEMPLATE = { type: 'string', pattern: '\\{\\{' };
// Exactly one expression keeps the type of its value, so it may stand for a whole list or map.
const EXACT = { type: 'string', pattern: '^\\s*\\{\\{[^{}]*\\}\\}\\s*$' };

/** The same schema with "or a template" on every value, for documents that are not rendered yet; the outermost map stays one. */
export function orTemplate(schema, outermost = true) {
  if (Array.isArray(schema) || typeof schema !== 'object' || schema === null) return schema;
  const out = {};
  for (const [key, value] of Object.entries(schema)) {
    if (key === 'properties' || key === 'patternProperties' || key === 'definitions') {
      out[key] = Object.fromEntries(
        Object.entries(value).map(([name, inner]) => [name, orTemplate(inner, false)]),
      );
    } else if (key === 'items' || key === 'additionalProperties') out[key] = orTemplate(value, false);
    else if (key === 'oneOf' || key === 'anyOf' || key === 'allOf')
      out[key] = value.map((inner) => orTemplate(inner, false));
    else out[key] = value;
  }
  const types = [schema.type].flat().filter((type) => type !== undefined);
  const scalar =
    schema.enum !== undefined ||
    schema.const !== undefined ||
    types.some((type) => /^(string|integer|number|boolean)$/.test(type));
  if (schema['x-literal'] === true) return out;
  const collection = types.length > 0 && types.every((type) => type === 'array' || type === 'object');
  // Editors show the description of the outer schema.
  const marked = {
    'x-or-template': true,
    ...(schema.description === undefined ? {} : { description: schema.description }),
  };
  if (collection && !outermost) return { ...marked, if: EXACT, else: out };
  if (!scalar) return out;
  if (
    types.length === 1 &&
    types[0] === 'string' &&
    schema.enum === undefined &&
    schema.const === undefined &&
    schema.pattern === undefined &&
    schema.minLength === undefined &&
    schema.format === undefined
  )
    return out;
  return { ...marked, if: TEMPLATE, else: out };
}
