// Writes src/generated/ from schemas/: TypeScript types and standalone validators.
// `generate()` is also called by the test that proves the folder current.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import Ajv from 'ajv';
import standaloneCode from 'ajv/dist/standalone/index.js';
import { buildSync } from 'esbuild';
import { compile } from 'json-schema-to-typescript';
import { orTemplate } from './or-template.mjs';

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));

/** 'kubectl.rollout-restart' → 'KubectlRolloutRestart' */
export function pascal(type) {
  return type.replace(/(?:^|[.-])([a-z0-9])/g, (_, letter) => letter.toUpperCase());
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

/** The same schema for `json-schema-to-typescript`: where a secret may stand, the step receives one. */
function withSecrets(schema) {
  if (Array.isArray(schema)) return schema.map(withSecrets);
  if (typeof schema !== 'object' || schema === null) return schema;
  const out = Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, withSecrets(value)]));
  if (schema['x-secret'] === true) out.tsType = "string | import('../engine/secret.ts').Secret";
  return out;
}

/** One schema for editors: the runbook's, with each step's `with` chosen by its `uses`. */
export function editorSchema({ runbook, steps }) {
  const schema = structuredClone(runbook);
  const { step } = schema.definitions;
  const file = { pattern: '(^\\.{0,2}/|\\.ya?ml$)', description: 'Another runbook.' };
  const types = steps.map((one) => ({ const: one.type, description: one.schema.description }));
  const { minLength, ...uses } = step.properties.uses;
  step.properties.uses = { ...uses, anyOf: [...types, file] };
  step.allOf = steps.map(({ type, schema: own }) => ({
    anyOf: [
      { not: { required: ['uses'], properties: { uses: { const: type } } } },
      { properties: { with: orTemplate(own.properties.with) } },
    ],
  }));
  return schema;
}

/** One module of validators: 'template' has the envelope and the inventory besides. */
function validators({ runbook, services, steps }, kind) {
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
  if (kind === 'template') {
    add('runbook', runbook);
    add('services', services);
  }
  for (const { type, schema } of steps) {
    const input = schema.properties.with;
    add(`${kind}${pascal(type)}`, kind === 'with' ? input : orTemplate(input));
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
    types += await compile(withSecrets(schema.properties.with), `${pascal(type)}With`, options);
    types += await compile(withSecrets(schema.properties.outputs), `${pascal(type)}Outputs`, options);
  }
  types += await compile(structuredClone(schemas.services), 'ServicesFile', options);
  files['types.ts'] = types;
  const imports = "import type { ValidateFunction } from 'ajv';\n\n";
  const own = {
    template: 'export const runbook: ValidateFunction;\nexport const services: ValidateFunction;\n',
    with: '',
  };
  for (const [kind, name] of [
    ['template', 'validators'],
    ['with', 'validators-with'],
  ]) {
    const bundled = buildSync({
      stdin: { contents: validators(schemas, kind), resolveDir: root },
      bundle: true,
      write: false,
      format: 'esm',
      platform: 'node',
      target: 'node20',
    });
    files[`${name}.js`] = bundled.outputFiles[0].text;
    const declared = schemas.steps.map(
      ({ type }) => `export const ${kind}${pascal(type)}: ValidateFunction;\n`,
    );
    files[`${name}.d.ts`] = `${imports}${own[kind]}${declared.join('')}`;
  }
  const head = '// Generated from schemas/ by scripts/generate.mjs. Not edited by hand.\n';
  const read = schemas.steps.map(
    ({ type, schema }) =>
      `  '${type}': { schema: ${JSON.stringify(schema)} as unknown as StepSchemaFile, template: v.template${pascal(type)} },`,
  );
  files['step-schemas.ts'] =
    `${head}import type { ReadStepSchema, StepSchemaFile } from '../engine/step-schema.ts';\nimport * as v from './validators.js';\n\n/** What reading a runbook needs of each step type. */\nexport const stepSchemas: Readonly<Record<string, ReadStepSchema>> = {\n${read.join('\n')}\n};\n`;
  const full = schemas.steps.map(
    ({ type }) => `  '${type}': { ...known('${type}'), with: w.with${pascal(type)} },`,
  );
  files['full-step-schemas.ts'] =
    `${head}import type { ReadStepSchema, StepSchema } from '../engine/step-schema.ts';\nimport { stepSchemas } from './step-schemas.ts';\nimport * as w from './validators-with.js';\n\nfunction known(type: string): ReadStepSchema {\n  return stepSchemas[type] as ReadStepSchema;\n}\n\n/** What planning and running need besides. */\nexport const fullStepSchemas: Readonly<Record<string, StepSchema>> = {\n${full.join('\n')}\n};\n`;
  return files;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const directory = path.join(root, 'src', 'generated');
  mkdirSync(directory, { recursive: true });
  for (const [name, content] of Object.entries(await generate()))
    writeFileSync(path.join(directory, name), content);
}
