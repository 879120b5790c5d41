import type { Access } from '../../src/engine/access.ts';
import type { JsonObject } from '../../src/engine/json.ts';
import type { Secret } from '../../src/engine/secret.ts';
import type { StepSchema } from '../../src/engine/step-schema.ts';
import {
  type ChangeStepType,
  type ReadStepType,
  StepError,
  type StepRegistry,
} from '../../src/engine/step-type.ts';
import type { ReadServices } from '../../src/services/services.ts';

/** Things with a number each; every call of a step is written down. */
export interface FakeWorld {
  readonly things: Map<string, number>;
  readonly calls: string[];
  /** Thrown by any step that looks at this thing. */
  readonly failures: Map<string, Error>;
}

export function fakeWorld(things: Readonly<Record<string, number>> = {}): FakeWorld {
  return { things: new Map(Object.entries(things)), calls: [], failures: new Map() };
}

interface ThingInput {
  readonly thing: string;
  readonly value?: number;
  readonly token?: Secret;
}

/** 'fake.read' reads a thing, 'fake.change' sets it, 'fake.opaque' cannot tell, 'fake.final' cannot be undone, 'fake.hang' waits. */
export function fakeSteps(world: FakeWorld): StepRegistry {
  const types = [
    readType(world),
    ...['fake.change', 'fake.opaque', 'fake.final'].map((type) => changeType(type, world)),
  ];
  const hang: ReadStepType<ThingInput, object> = {
    ...readType(world),
    type: 'fake.hang',
    run: () => new Promise(() => undefined),
  };
  return new Map([...types, hang].map((type) => [type.type, type]));
}

function look(world: FakeWorld, call: string, input: ThingInput): number {
  world.calls.push(`${call} ${input.thing}`);
  const failure = world.failures.get(input.thing);
  if (failure !== undefined) throw failure;
  const value = world.things.get(input.thing);
  if (value === undefined)
    throw new StepError('no-thing', `there is no thing ${input.thing}`, { hint: 'make one first' });
  return value;
}

function readType(world: FakeWorld): ReadStepType<ThingInput, object> {
  return {
    type: 'fake.read',
    effect: 'read',
    describe: ({ thing }) => `read ${thing}`,
    resources: ({ thing }) => [{ path: `things/${thing}`, mode: 'read' }],
    access: ({ thing }) => [access('get', thing)],
    findings: (outputs) => findingsOf(outputs),
    takes: ({ value }) => value,
    run: async (input) => ({ value: look(world, 'read', input) }),
  };
}

/** A value of 66 has 25 things to say, and what to do. */
function findingsOf(outputs: { readonly value?: number }) {
  const details = Array.from({ length: outputs.value === 66 ? 25 : 0 }, (_, at) => `finding ${at + 1}`);
  return { details, ...(details.length === 0 ? {} : { hint: 'look into each' }) };
}

function changeType(type: string, world: FakeWorld): ChangeStepType<ThingInput, object> {
  return {
    type,
    effect: 'change',
    describe: ({ thing, value }) => `set ${thing} to ${value}`,
    resources: ({ thing }) => [{ path: `things/${thing}`, mode: 'write' }],
    access: ({ thing }) =>
      type === 'fake.opaque'
        ? [{ ...access('patch', 'one'), namespace: thing }]
        : [access('get', thing), access('patch', thing)],
    async predict(input) {
      const before = look(world, 'predict', input);
      if (type === 'fake.opaque') return { predictable: false, why: 'no dry run for this kind' };
      const after = input.value ?? 0;
      const changes = before !== after;
      return {
        predictable: true,
        changes,
        diff: changes ? [{ path: 'spec.value', before, after }] : [],
        outputs: { before },
        notes: before === 7 ? ['an HPA owns it'] : [],
        duration: { min: 1000, max: 3000 },
      };
    },
    async capture(input) {
      const value = look(world, 'capture', input);
      const resource = `things/${input.thing}`;
      return {
        state: value,
        witnesses: [{ resource, description: `thing ${input.thing} = ${value}`, digest: `${value}` }],
      };
    },
    run: () => Promise.reject(new Error('a plan must not run a change')),
    observe: () => Promise.reject(new Error('a plan does not observe')),
    undo:
      type === 'fake.final'
        ? { irreversible: 'it is gone' }
        : () => Promise.reject(new Error('no undo in a plan')),
  };
}

function access(verb: string, name: string): Extract<Access, { system: 'kubernetes' }> {
  return { system: 'kubernetes', verb, group: 'apps', resource: 'things', namespace: 'fake', name };
}

/** Schemas whose validators know the two fields of `ThingInput`. */
export function fakeSchemas(): Readonly<Record<string, StepSchema>> {
  const validate = Object.assign(
    (input: JsonObject) => {
      const fits = input.value === undefined || Number.isInteger(input.value);
      validate.errors = fits
        ? null
        : [
            {
              instancePath: '/value',
              keyword: 'type',
              message: 'must be integer',
              params: {},
              schemaPath: '',
            },
          ];
      return fits;
    },
    { errors: null as unknown },
  ) as unknown as StepSchema['with'] & { errors: unknown };
  const properties = {
    with: {
      properties: {
        thing: { type: 'string' },
        value: { type: 'integer' },
        token: { type: 'string', 'x-secret': true as const },
      },
    },
    outputs: {},
  };
  const schema = { title: 'Fake', description: 'A fake.', properties, examples: [] };
  const one: StepSchema = { schema, with: validate, template: validate };
  const names = ['fake.read', 'fake.change', 'fake.opaque', 'fake.final', 'fake.hang'];
  return Object.fromEntries(names.map((name) => [name, one]));
}

export interface FakeServices {
  readonly services: ReadServices;
  /** Access questions in the order they were asked: 'patch things "a"'. */
  readonly asked: string[];
}

/** Only what plans ask the engine's services: time, identity and access reviews. Everything else throws. */
export function fakeServices(denied: (question: string) => boolean = () => false): FakeServices {
  const asked: string[] = [];
  const refuse = (name: string) =>
    new Proxy(
      {},
      { get: (_, method) => () => Promise.reject(new Error(`${name}.${String(method)} in a plan`)) },
    );
  let now = 0;
  const kubernetes = {
    identity: () =>
      Promise.resolve({ context: 'test', server: 'https://cluster', uid: 'uid-1', version: 'v1.32.0' }),
    canI: (accesses: readonly Extract<Access, { system: 'kubernetes' }>[]) => {
      const questions = accesses.map(({ verb, resource, name }) => `${verb} ${resource} ${name ?? '*'}`);
      asked.push(...questions);
      return Promise.resolve(questions.map((question) => ({ allowed: !denied(question), reason: '' })));
    },
  };
  const clock = {
    now: () => now,
    monotonic: () => now,
    sleep: async (ms: number, signal: AbortSignal) => {
      // Time passes only when everything else has had its turn.
      for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
      if (!signal.aborted) now += ms;
      else await new Promise(() => undefined);
    },
  };
  const services = {
    clock,
    kubernetes,
    files: refuse('files'),
    http: refuse('http'),
    openbao: refuse('openbao'),
    process: refuse('process'),
  };
  return { services: services as unknown as ReadServices, asked };
}
