// Writes src/generated/ from schemas/: TypeScript types and standalone validators.
// `generate()` is also called by the test that proves the folder current.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import Ajv from 'ajv';
import standaloneCode from 'ajv/dist/standalone/index.js';
import { buildSync } from 'esbuild';
import { compile } from 'json-schema-to-typescript';

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));

/** 'kubectl.rollout-restart' → 'KubectlRolloutRestart' */
export function pascal(type) {
  return type.replace(/(?:^|[.-])([a-z0-9])/g, (_, letter) => letter.toUpperCase());
}

const TEMPLATE = { type: 'string', pattern: '\\{\\{' };

/** The same schema with "or a template" on every scalar, for documents that are not rendered yet. */
export function orTemplate(schema) {
  if (Array.isArray(schema) || typeof schema !== 'object' || schema === null) return schema;
  const out = {};
  for (const [key, value] of Object.entries(schema)) {
    if (key === 'properties' || key === 'patternProperties' || key === 'definitions') {
      out[key] = Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, orTemplate(inner)]));
    } else if (key === 'items' || key === 'additionalProperties') out[key] = orTemplate(value);
    else if (key === 'oneOf' || key === 'anyOf' || key === 'allOf') out[key] = value.map(orTemplate);
    else out[key] = value;
  }
  const types = [schema.type].flat().filter((type) => type !== undefined);
  const scalar =
    schema.enum !== undefined ||
    schema.const !== undefined ||
    types.some((type) => /^(string|integer|number|boolean)$/.test(type));
  if (!scalar || schema['x-literal'] === true) return out;
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
  return { 'x-or-template': true, if: TEMPLATE, else: out };
}

export function readSchemas() {
  const directory = path.join(root, 'schemas');
  const read = (file) => JSON.parse(readFileSync(path.join(directory, file), 'utf8'));
  return {
    runbook: read('runbook.schema.json'),
    services: read('services.schema.json'),
    steps: readdirSync(path.join(directory, 'steps'))
      .filter((file) => file.endsWith('.schema.json'))
      .sort()
      .map((file) => ({ type: file.slice(0, -'.schema.json'.length), schema: read(`steps/${file}`) })),
  };
}

function validators({ runbook, services, steps }) {
  // strict: an unknown keyword or a typo in a schema fails the build.
  const ajv = new Ajv({
    allErrors: true,
    strict: true,
    strictRequired: false,
    allowUnionTypes: true,
    code: { source: true, esm: true, lines: true },
    verbose: true,
  });
  for (const keyword of ['x-secret', 'x-literal', 'x-or-template', 'x-kind', 'markdownDescription'])
    ajv.addKeyword(keyword);
  const exported = {};
  const add = (name, schema) => {
    const { $schema, ...rest } = schema;
    ajv.addSchema({ ...rest, $id: name }, name);
    exported[name] = name;
  };
  add('runbook', runbook);
  add('services', services);
  for (const { type, schema } of steps) {
    add(`with${pascal(type)}`, schema.properties.with);
    add(`template${pascal(type)}`, orTemplate(schema.properties.with));
    add(`outputs${pascal(type)}`, schema.properties.outputs);
  }
  return standaloneCode.default(ajv, exported);
}

/** File name → content of everything below src/generated/. */
export async function generate() {
  const schemas = readSchemas();
  const files = {};
  const options = {
    bannerComment: '',
    additionalProperties: false,
    unknownAny: true,
    format: false,
    strictIndexSignatures: false,
  };
  let types = '// Generated from schemas/ by scripts/generate.mjs. Not edited by hand.\n\n';
  for (const { type, schema } of schemas.steps) {
    types += await compile(structuredClone(schema.properties.with), `${pascal(type)}With`, options);
    types += await compile(structuredClone(schema.properties.outputs), `${pascal(type)}Outputs`, options);
  }
  types += await compile(structuredClone(schemas.services), 'ServicesFile', options);
  files['types.ts'] = types;
  const bundled = buildSync({
    stdin: { contents: validators(schemas), resolveDir: root },
    bundle: true,
    write: false,
    format: 'esm',
    platform: 'node',
    target: 'node20',
  });
  files['validators.js'] = bundled.outputFiles[0].text;
  files['validators.d.ts'] =
    `import type { ValidateFunction } from 'ajv';\n\nexport const runbook: ValidateFunction;\nexport const services: ValidateFunction;\n${schemas.steps.map(({ type }) => ['with', 'template', 'outputs'].map((kind) => `export const ${kind}${pascal(type)}: ValidateFunction;`).join('\n')).join('\n')}\n`;
  const entries = schemas.steps.map(
    ({ type, schema }) =>
      `  '${type}': { schema: ${JSON.stringify(schema)} as unknown as StepSchemaFile, with: v.with${pascal(type)}, template: v.template${pascal(type)}, outputs: v.outputs${pascal(type)} },`,
  );
  files['step-schemas.ts'] =
    `// Generated from schemas/ by scripts/generate.mjs. Not edited by hand.\nimport type { StepSchema, StepSchemaFile } from '../engine/step-schema.ts';\nimport * as v from './validators.js';\n\nexport const stepSchemas: Readonly<Record<string, StepSchema>> = {\n${entries.join('\n')}\n};\n`;
  return files;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const directory = path.join(root, 'src', 'generated');
  mkdirSync(directory, { recursive: true });
  for (const [name, content] of Object.entries(await generate()))
    writeFileSync(path.join(directory, name), content);
}
