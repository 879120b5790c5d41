import { readdirSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import type { JsonObject } from '../../src/engine/json.ts';
import type { SchemaNode, StepSchema } from '../../src/engine/step-schema.ts';
import type { AnyStepType, ChangeStepType } from '../../src/engine/step-type.ts';
import { stepTypes } from '../../src/steps/index.ts';
import { schemas, steps } from '../fakes/shipped-steps.ts';

const root = path.dirname(path.dirname(import.meta.dirname));

function schemaOf(type: string): StepSchema {
  const schema = schemas[type];
  if (schema === undefined) throw new Error(`no schema for ${type}`);
  return schema;
}

/** Templates replaced by values of the type that the schema asks for, as a rendered `with` would have. */
function rendered(node: SchemaNode | undefined, value: unknown): unknown {
  if (typeof value === 'string' && value.includes('{{')) return sample(node);
  if (Array.isArray(value)) return value.map((item) => rendered(node?.items, item));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => {
      const rest = typeof node?.additionalProperties === 'object' ? node.additionalProperties : undefined;
      return [key, rendered(node?.properties?.[key] ?? rest, item)];
    }),
  );
}

function sample(node: SchemaNode | undefined): unknown {
  if (node?.enum !== undefined) return node.enum[0];
  if (node?.type === 'integer') return 1;
  if (node?.type === 'array') return [];
  if (node?.type === 'object') return sampleObject(node);
  return 'sample';
}

function sampleObject({ properties = {} }: SchemaNode): unknown {
  return Object.fromEntries(Object.entries(properties).map(([name, inner]) => [name, sample(inner)]));
}

/** Every field below a schema with its path. */
function fields(node: SchemaNode, at: string): readonly (readonly [string, SchemaNode])[] {
  const properties = Object.entries(node.properties ?? {}).flatMap(([name, inner]) => [
    [`${at}.${name}`, inner] as const,
    ...fields(inner, `${at}.${name}`),
  ]);
  const items = node.items === undefined ? [] : fields(node.items, `${at}[]`);
  const values =
    typeof node.additionalProperties === 'object'
      ? ([[`${at}.*`, node.additionalProperties], ...fields(node.additionalProperties, `${at}.*`)] as const)
      : [];
  return [...properties, ...items, ...values];
}

const all = [...steps].map((entry) => [...entry] as const);
const changing = all.filter((entry): entry is readonly [string, ChangeStepType<never, object>] => {
  return entry[1].effect === 'change';
});

describe('the registry', () => {
  test('has a schema for every type, and a type for every schema', () => {
    const files = readdirSync(path.join(root, 'schemas/steps')).map((file) =>
      file.replace('.schema.json', ''),
    );
    expect(Object.keys(stepTypes).sort()).toEqual(files.sort());
    expect(all.map(([name]) => name).sort()).toEqual(files);
  });

  test('names every type as it names itself', () => {
    expect([...steps].filter(([name, { type }]) => name !== type)).toEqual([]);
  });

  test('has every type that the catalogue promises', () => {
    const promised =
      'kubectl.rollout-restart kubectl.rollout-status kubectl.rollout-undo kubectl.scale kubectl.set-env kubectl.patch kubectl.apply kubectl.delete-pod kubectl.wait kubectl.get kubectl.pods kubectl.logs kubectl.describe kubectl.events kubectl.exec bao.status bao.step-down bao.kv-get bao.kv-put bao.kv-metadata bao.raft-snapshot mek.inspect mek.loaded mek.backup mek.publish mek.converge mek.activate mek.retire mek.census-api-keys mek.restore mek.repair nek.census nek.reencrypt nek.rotate nek.verify ess.probe helm.list helm.status helm.history helm.get-values helm.diff helm.upgrade helm.rollback kubectl.secret-backup kubectl.secret-restore nek.backup nek.restore backup.manifest backup.verify nats.status nats.streams certificates.check images.check notary.key-check registry.credentials cassandra.status cassandra.migrations cassandra.snapshot cassandra.clear-dirty http.check metrics.check exec approve wait note';
    expect(promised.split(' ').filter((name) => !steps.has(name))).toEqual([]);
  });
});

describe.each(all)('%s', (name, type: AnyStepType) => {
  const { schema, with: valid, template } = schemaOf(name);
  const examples = schema.examples.map(({ step }) => step);
  const inputs = examples.map((step) => rendered(schema.properties.with, step.with ?? {}) as never);

  test('has a title, a description and examples of itself', () => {
    expect(schema.title).not.toBe('');
    expect(schema.description).toMatch(/\.$/);
    expect(examples.map((step) => step.uses)).toEqual(examples.map(() => name));
    expect(examples.length).toBeGreaterThan(0);
  });

  test('describes every field', () => {
    const { with: input, outputs } = schema.properties;
    const mute = [...fields(input, 'with'), ...fields(outputs, 'outputs')]
      .filter(([, node]) => (node.description ?? '').length < 4)
      .map(([place]) => place);
    expect(mute).toEqual([]);
  });

  test('refuses fields that it does not know', () => {
    expect(schema.properties.with.additionalProperties).toBe(false);
    expect(schema.properties.outputs.additionalProperties).toBe(false);
    expect(template({ ...(examples[0]?.with as JsonObject), misspelt: 1 })).toBe(false);
  });

  test('refuses an empty namespace, name or selector', () => {
    const places = Object.entries(schema.properties.with.properties ?? {}).filter(([, node]) =>
      ['namespace', 'name', 'selector'].includes(node['x-kind'] ?? ''),
    );
    for (const [field] of places) {
      expect(template({ ...(examples[0]?.with as JsonObject), [field]: '' }), field).toBe(false);
      expect(valid({ ...(inputs[0] as unknown as JsonObject), [field]: '' }), field).toBe(false);
    }
  });

  test.each(examples.map((step, index) => [String(step.id), index] as const))(
    'example %s is valid as written and as rendered, and describes itself',
    (_, index) => {
      const input = inputs[index] as never;
      expect([template(examples[index]?.with ?? {}), template.errors ?? []]).toEqual([true, []]);
      expect([valid(input), valid.errors ?? []]).toEqual([true, []]);
      expect(type.check?.(input) ?? []).toEqual([]);
      const text = type.describe(input);
      expect(text).not.toMatch(/undefined|\[object|\n/);
      expect(text.length).toBeGreaterThan(3);
    },
  );

  test('says what it touches and what it needs, from literal and from unknown values', () => {
    for (const input of inputs) {
      for (const resource of type.resources(input)) expect(resource.path).toMatch(/^[^/\s]+(\/[^/\s]+)*$/);
      for (const access of type.access(input))
        expect(JSON.stringify(access)).not.toMatch(/undefined|""[,}](?<!"group":"",)/);
    }
    const later = (examples[0]?.with ?? {}) as JsonObject;
    const unknown = Object.fromEntries(
      Object.entries(later).map(([key, value]) => [
        key,
        typeof value === 'string' ? '‹known after x›' : value,
      ]),
    );
    expect(() => type.describe(unknown as never)).not.toThrow();
    expect(type.resources(unknown as never).length).toBe(type.resources(inputs[0] as never).length);
  });
});

describe.each(changing)('%s changes something, so it', (name, type) => {
  const { examples } = schemaOf(name).schema;

  test('predicts, captures, observes, and can be undone or says why not', () => {
    for (const method of ['predict', 'capture', 'observe', 'run'] as const)
      expect(type[method]).toBeTypeOf('function');
    if (typeof type.undo === 'object') expect(type.undo.irreversible.length).toBeGreaterThan(10);
    else expect(type.undo).toBeTypeOf('function');
  });

  test('writes to something', () => {
    const change = examples.find(({ step }) => type.effectOf?.(step.with as JsonObject) !== 'read');
    const input = rendered(schemaOf(name).schema.properties.with, change?.step.with) as never;
    expect(type.resources(input).some((resource) => resource.mode === 'write')).toBe(true);
  });

  test('shows a time limit in every example', () => {
    const limitless = examples.filter(
      ({ step }) => step.timeout === undefined && type.effectOf?.(step.with as JsonObject) !== 'read',
    );
    expect(limitless).toEqual([]);
  });
});
