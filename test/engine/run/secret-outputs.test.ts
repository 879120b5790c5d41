import { describe, expect, test } from 'vitest';
import type { Json, JsonObject } from '../../../src/engine/json.ts';
import { Secret } from '../../../src/engine/secret.ts';
import type { StepSchema } from '../../../src/engine/step-schema.ts';
import { type AnyStepType, StepError } from '../../../src/engine/step-type.ts';
import { each, read, step } from '../../fakes/plan-nodes.ts';
import { planOf } from '../../fakes/run-plan.ts';
import { RunRig } from '../../fakes/run-rig.ts';
import { runSchemas } from '../../fakes/run-steps.ts';

interface Get {
  readonly from?: string;
  readonly value?: Json;
}

/** The field `name` may be a secret. */
function schemas(): Readonly<Record<string, StepSchema>> {
  const { 'fake.kept': kept } = runSchemas;
  if (kept === undefined) throw new Error('no schema');
  const properties = { with: { properties: { name: { 'x-secret': true } } }, outputs: {} } as const;
  return { ...runSchemas, 'fake.kept': { ...kept, schema: { ...kept.schema, properties } } };
}

function shown(value: unknown): string {
  return value instanceof Secret ? value.revealText((text) => text) : JSON.stringify(value);
}

function planFor(name: string, get: Get) {
  return planOf([
    read('get', { with: get as JsonObject }),
    step('take', { uses: 'fake.kept', with: { name } }),
  ]);
}

/** Reads give a secret (or what they are told to), and the changing step `take` is given something. */
function rig(name: string, get: Get = { from: 'here' }, plan = planFor(name, get)) {
  const made = new RunRig(plan);
  const log: string[] = [];
  const hidden: string[] = [];
  /** The process ends when `take` captures. */
  const dies = { now: false };
  const reader = {
    type: 'fake.read',
    effect: 'read',
    describe: () => 'get',
    resources: () => [],
    access: () => [],
    run: async (input: Get) => {
      log.push('get');
      return { version: 7, value: input.value ?? Secret.fromText('whatever', 'canary-1') };
    },
    reread: async (field: string, input: Get, outputs: JsonObject): Promise<Secret> => {
      log.push(`${field} again of version ${String(outputs.version)} from ${input.from}`);
      return Secret.fromText('another name', 'canary-1');
    },
  };
  const types = made.target.steps(() => !made.journal.dead);
  const taker = {
    ...types.get('fake.kept'),
    capture: async () => {
      if (dies.now) {
        dies.now = false;
        made.target.crash();
        await new Promise(() => undefined);
      }
      return { state: null, witnesses: [] };
    },
    run: async (input: { readonly name: unknown }) => {
      log.push(`take ${shown(input.name)}`);
      return { key: 'x' };
    },
    observe: async () =>
      log.some((line) => line.startsWith('take'))
        ? { state: 'applied', evidence: 'taken', outputs: { key: 'x' } }
        : { state: 'not-applied', evidence: 'not taken' },
  };
  const use = (readType: object) => {
    const registry = new Map<string, AnyStepType>(types);
    registry.set('fake.read', readType as AnyStepType);
    registry.set('fake.kept', taker as unknown as AnyStepType);
    made.options = {
      steps: registry,
      schemas: schemas(),
      protect: (secret) => void hidden.push(shown(secret)),
    };
  };
  use(reader);
  return { made, reader, use, dies, log, hidden, journal: () => JSON.stringify(made.events) };
}

describe('a secret that a step reads', () => {
  test('reaches a later step, and the journal has its name only', async () => {
    const { made, log, hidden, journal } = rig('{{steps.get.outputs.value}}');
    expect((await made.exec()).exitCode).toBe(0);
    expect(log).toEqual(['get', 'take canary-1']);
    expect(hidden).toEqual(['canary-1']);
    expect(journal()).not.toContain('canary');
    expect(journal()).toContain('{"version":7,"value":{"$secret":"steps.get.outputs.value"}}');
  });

  test('makes a text secret that it is mixed into', async () => {
    const { made, log, journal } = rig('Bearer {{steps.get.outputs.value}}!');
    await made.exec();
    expect(log).toEqual(['get', 'take Bearer canary-1!']);
    expect(journal()).not.toContain('canary');
  });

  test('is read again after a crash: the one that the outputs tell of', async () => {
    const { made, dies, log, hidden, journal } = rig('{{steps.get.outputs.value}}');
    dies.now = true;
    await made.exec();
    expect(log.splice(0)).toEqual(['get']);
    expect((await made.resume()).exitCode).toBe(0);
    expect(log).toEqual(['value again of version 7 from here', 'take canary-1']);
    expect(hidden.at(-1)).toBe('canary-1');
    expect(journal()).not.toContain('canary');
  });

  test.each([
    [
      'its source refuses it',
      { reread: () => Promise.reject(new StepError('kv-destroyed', 'version 7 is destroyed')) },
      'version 7 is destroyed',
    ],
    ['its type has no way to', { reread: undefined }, 'fake.read cannot read steps.get.outputs.value again'],
  ])('that cannot be read again because %s fails the step before its effect', async (_, change, message) => {
    const { made, use, dies, reader, log } = rig('{{steps.get.outputs.value}}');
    dies.now = true;
    await made.exec();
    use({ ...reader, ...change });
    expect((await made.resume()).exitCode).not.toBe(0);
    const failed = made.events.find((event) => event.type === 'failed');
    expect(failed).toMatchObject({ id: 'take', error: { message } });
    expect(log.filter((line) => line.startsWith('take'))).toEqual([]);
  });

  test.each([
    { $secret: 'token' },
    { $secret: 'steps.other.outputs.value' },
    { $secret: ['text', { secret: 'steps.get.outputs.value' }] },
  ])('is not what only looks like one: %j', async (value) => {
    const { made, log } = rig('{{steps.get.outputs.value}}', { value });
    expect((await made.exec()).exitCode).toBe(0);
    expect(log).toEqual(['get', `take ${JSON.stringify(value)}`]);
  });

  test('of each element of a forEach is its own', async () => {
    const plan = planOf([
      read('get', { with: { from: '{{item}}' }, forEach: each(['a', 'b.outputs.value']) }),
      step('take', { uses: 'fake.kept', with: { name: '{{steps.get.outputs.a.value}}' } }),
    ]);
    const { made, dies, log } = rig('unused', {}, plan);
    dies.now = true;
    await made.exec();
    await made.resume();
    expect(log).toEqual(['get', 'get', 'value again of version 7 from a', 'take canary-1']);
  });
});
