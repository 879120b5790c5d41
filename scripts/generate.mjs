// Writes src/generated/ from schemas/: TypeScript types and standalone validators.
// `generate()` is also called by the test that proves the folder current.
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import Ajv from 'ajv';
import standaloneCode from 'ajv/dist/standalone/index.js';
import { build } from 'esbuild';
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

const banner = '// Generated from schemas/ by scripts/generate.mjs. Not edited by hand.\n';

/** Turns schemas into the source of modules with one validator each. */
function compiler() {
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
  return (id, { $schema, ...schema }, exported) => {
    ajv.addSchema({ ...schema, $id: id }, id);
    return standaloneCode.default(ajv, { [exported]: id });
  };
}

/** Modules that are loaded one by one: what several of them need is in modules of its own. */
async function modules(sources) {
  const namespace = 'source';
  const virtual = {
    name: namespace,
    setup({ onResolve, onLoad }) {
      onResolve({ filter: /^source:/ }, ({ path: name }) => ({ path: name.slice(7), namespace }));
      onLoad({ filter: /./, namespace }, ({ path: name }) => ({ contents: sources[name], resolveDir: root }));
    },
  };
  const { outputFiles } = await build({
    entryPoints: Object.keys(sources).map((name) => ({ in: `source:${name}`, out: name })),
    plugins: [virtual],
    outdir: root,
    bundle: true,
    splitting: true,
    write: false,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    chunkNames: 'validators/shared-[hash]',
  });
  return Object.fromEntries(outputFiles.map((file) => [path.relative(root, file.path), file.text]));
}

function validators({ runbook, services, steps }) {
  const compile = compiler();
  const sources = {
    'validators/runbook': compile('runbook', runbook, 'runbook'),
    'validators/services': compile('services', services, 'services'),
  };
  for (const { type, schema } of steps) {
    const input = schema.properties.with;
    const read = compile(`${type}#read`, orTemplate(input), 'template');
    sources[`validators/${type}`] = `${read}\nexport const schema = ${JSON.stringify(schema)};\n`;
    sources[`validators/${type}.run`] = compile(`${type}#run`, input, 'rendered');
  }
  return modules(sources);
}

/** A table that loads a step type's schema when it is asked for. */
function table(types, { name, schema, of, head = '', entry }) {
  const lines = types.map((type) => `  '${type}': ${entry(`./validators/${type}`)},\n`);
  return {
    [`${name}.js`]: `${banner}${head}export const ${of} = {\n${lines.join('')}};\n`,
    [`${name}.d.ts`]: `${banner}import type { ${schema} } from '../engine/step-schema.ts';

export const ${of}: Readonly<Record<string, () => Promise<${schema}>>>;
`,
  };
}

function tables(types) {
  return {
    ...table(types, {
      name: 'step-schemas',
      of: 'stepSchemas',
      schema: 'ReadStepSchema',
      entry: (file) => `() => import('${file}.js')`,
    }),
    ...table(types, {
      name: 'full-step-schemas',
      of: 'fullStepSchemas',
      schema: 'StepSchema',
      head: 'const both = async (read, run) => ({ ...(await read), with: (await run).rendered });\n\n',
      entry: (file) => `() => both(import('${file}.js'), import('${file}.run.js'))`,
    }),
  };
}

async function types({ services, steps }) {
  const options = {
    bannerComment: '',
    additionalProperties: false,
    unknownAny: true,
    format: false,
    strictIndexSignatures: false,
  };
  let text = `${banner}\n`;
  for (const { type, schema } of steps) {
    text += await compile(withSecrets(schema.properties.with), `${pascal(type)}With`, options);
    text += await compile(withSecrets(schema.properties.outputs), `${pascal(type)}Outputs`, options);
  }
  return text + (await compile(structuredClone(services), 'ServicesFile', options));
}

/** File name → content of everything below src/generated/. */
export async function generate() {
  const schemas = readSchemas();
  const declared = (name) =>
    `${banner}import type { ValidateFunction } from 'ajv';\n\nexport const ${name}: ValidateFunction;\n`;
  return {
    'types.ts': await types(schemas),
    ...(await validators(schemas)),
    'validators/runbook.d.ts': declared('runbook'),
    'validators/services.d.ts': declared('services'),
    ...tables(schemas.steps.map(({ type }) => type)),
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const directory = path.join(root, 'src', 'generated');
  const files = await generate();
  mkdirSync(path.join(directory, 'validators'), { recursive: true });
  for (const [name, content] of Object.entries(files)) writeFileSync(path.join(directory, name), content);
  // What an earlier schema left behind.
  for (const name of readdirSync(directory, { recursive: true }))
    if (files[name] === undefined && name !== 'validators') rmSync(path.join(directory, name));
}
