import { Ajv } from 'ajv';
import { orTemplate } from '../../scripts/or-template.mjs';
import type { StepCatalogue } from '../../src/engine/step-loader.ts';
import type { SchemaNode, StepSchema, StepSchemaFile } from '../../src/engine/step-schema.ts';
import type { AnyStepType } from '../../src/engine/step-type.ts';

/** A few step types that do nothing, with schemas that show every kind of field. */
const files: Readonly<Record<string, Pick<StepSchemaFile['properties'], 'with' | 'outputs'>>> = {
  'kube.pods': {
    with: object(
      {
        namespace: { type: 'string', minLength: 1, 'x-kind': 'namespace', description: 'Where they are.' },
        selector: { type: 'string', minLength: 1, 'x-kind': 'selector', description: 'Which ones.' },
        limit: { type: 'integer', minimum: 1, description: 'How many at most.' } as SchemaNode,
        ready: { type: 'boolean', description: 'Only ready ones.' },
        names: { type: 'array', items: { type: 'string' }, description: 'Only these.' },
        since: { type: 'string', 'x-kind': 'duration', description: 'Only younger ones.' },
      },
      ['namespace', 'selector'],
    ),
    outputs: object({
      count: { type: 'integer' },
      load: { type: 'number' },
      phase: { type: 'string', enum: ['Running', 'Failed'] },
      pods: {
        type: 'array',
        items: object({
          name: { type: 'string' },
          ready: { type: 'boolean' },
          restarts: { type: 'integer' },
        }),
      },
      labels: { type: 'object', additionalProperties: { type: 'string' } },
    }),
  },
  'kube.restart': {
    with: object(
      {
        kind: { type: 'string', enum: ['Deployment', 'StatefulSet'], description: 'Kind of workload.' },
        name: { type: 'string', minLength: 1, 'x-kind': 'name', description: 'Its name.' },
        namespace: { type: 'string', minLength: 1, 'x-kind': 'namespace', description: 'Where it is.' },
        token: { type: 'string', 'x-secret': true, description: 'A token.' },
        mode: { type: 'string', 'x-literal': true, description: 'Read before anything is rendered.' },
      },
      ['name', 'namespace'],
    ),
    outputs: object({ revision: { type: 'string' }, password: { type: 'string', 'x-secret': true } }),
  },
  note: {
    with: object({ text: { type: 'string', description: 'What to say.' } }, ['text']),
    outputs: object({ text: { type: 'string' } }),
  },
  run: {
    with: object(
      {
        command: { type: 'array', items: { type: 'string' } },
        effect: { type: 'string', enum: ['read', 'change'], 'x-literal': true },
      },
      ['command'],
    ),
    outputs: object({ exitCode: { type: 'integer' } }),
  },
};

function object(
  properties: Readonly<Record<string, SchemaNode>>,
  required: readonly string[] = [],
): SchemaNode {
  return { type: 'object', properties, required, additionalProperties: false };
}

const ajv = new Ajv({
  allErrors: true,
  strict: true,
  strictRequired: false,
  allowUnionTypes: true,
  verbose: true,
});
for (const keyword of ['x-secret', 'x-literal', 'x-or-template', 'x-kind']) ajv.addKeyword(keyword);

const schemas = Object.fromEntries(
  Object.entries(files).map(([type, properties]) => [
    type,
    async (): Promise<StepSchema> => ({
      schema: { title: type, description: type, properties, examples: [] },
      with: ajv.compile(properties.with),
      template: ajv.compile(orTemplate(properties.with)),
    }),
  ]),
);

type Entry = readonly [string, () => Promise<AnyStepType>];

function reading(type: string, more: object = {}): Entry {
  const step: AnyStepType = {
    type,
    effect: 'read',
    describe: () => type,
    resources: () => [],
    access: () => [],
    run: async () => ({}),
    ...more,
  };
  return [type, async () => step];
}

function changing(type: string, more: object = {}): Entry {
  return reading(type, {
    effect: 'change',
    predict: async () => ({ predictable: false, why: 'it is a fake' }),
    capture: async () => ({ state: null, witnesses: [] }),
    observe: async () => ({ state: 'unknown', evidence: 'it is a fake' }),
    undo: { irreversible: 'it is a fake' },
    ...more,
  });
}

const types = Object.fromEntries([
  reading('kube.pods'),
  changing('kube.restart', {
    check: ({ kind, name }: { readonly kind?: string; readonly name: string }) =>
      kind === 'StatefulSet' && name === 'openbao'
        ? [{ path: ['name'], message: 'openbao restarts pod by pod', hint: 'use another step type' }]
        : [],
  }),
  reading('note'),
  changing('run', { effectOf: ({ effect }: { readonly effect?: string }) => effect ?? 'change' }),
]);

export const fakeCatalogue: StepCatalogue<StepSchema> = { types, schemas };
