import { describe, expect, test } from 'vitest';
import { Secret } from '../../../src/engine/secret.ts';
import type { Before, ChangeStepType, RunContext } from '../../../src/engine/step-type.ts';
import { AGE_PAIR } from '../../../src/sandbox/inputs.ts';
import type { Sandbox } from '../../../src/sandbox/open.ts';
import { activate } from '../../../src/steps/mek/activate.ts';
import { backup } from '../../../src/steps/mek/backup.ts';
import { censusApiKeys } from '../../../src/steps/mek/census-api-keys.ts';
import { converge } from '../../../src/steps/mek/converge.ts';
import { inspect } from '../../../src/steps/mek/inspect.ts';
import { publish } from '../../../src/steps/mek/publish.ts';
import { repair } from '../../../src/steps/mek/repair.ts';
import { restore } from '../../../src/steps/mek/restore.ts';
import { retire } from '../../../src/steps/mek/retire.ts';
import { reencrypt } from '../../../src/steps/nek/reencrypt.ts';
import { keepsakeRig } from '../../fakes/keepsake-rig.ts';
import { documentOf, openKeys, setOf } from '../../sandbox/keys-rig.ts';
import { never } from '../../sandbox/rig.ts';

const MINUTE = 60_000;
const consumers = [
  {
    name: 'ess-api',
    namespace: 'ess',
    kind: 'Deployment',
    resource: 'ess-api-deployment',
    selector: 'app.kubernetes.io/name=helm-nvcf-ess-api',
    container: 'helm-nvcf-ess-api',
    loads: 'reload',
  },
  ...[
    ['api-keys', 'api-keys', 'helm-nvcf-api-keys'],
    ['nvcf-api', 'nvcf', 'helm-nvcf-api'],
  ].map(([name, namespace, container]) => ({
    name,
    namespace,
    kind: 'Deployment',
    resource: name,
    selector: `app.kubernetes.io/name=${container}`,
    container,
    loads: 'start',
  })),
];

interface Lived {
  readonly before: Before;
  readonly outputs: never;
  undo(): Promise<void>;
}

/** The simulated control plane with everything started, and a way to take steps through their life on it. */
async function world() {
  const sandbox = openKeys();
  const { clock } = sandbox.services;
  await clock.sleep(10 * MINUTE, never);
  const { token } = sandbox.inputs({ token: { type: 'secret', description: 'token' } });
  const groups = {
    openbao: { namespace: 'vault-system', selector: 'component=server', token },
    cassandra: { namespace: 'cassandra-system', selector: 'app.kubernetes.io/name=cassandra' },
    apiKeys: { namespace: 'cassandra-system', selector: 'app.kubernetes.io/name=cassandra' },
  };
  const context = (key: string): RunContext => ({
    services: sandbox.servicesFor(key),
    signal: never,
    runId: 'run',
    instance: key,
    operationKey: `rb-${key}`,
    deadline: clock.now() + 60 * MINUTE,
    progress: () => undefined,
    checkpoint: async () => undefined,
    ...keepsakeRig(),
  });
  /** Capture, run, observe: as the engine does. */
  const live = async (
    type: ChangeStepType<never, object>,
    with_: object,
    key = type.type,
  ): Promise<Lived> => {
    const input = { ...groups, ...with_ } as never;
    const ctx = context(key);
    const before = await type.capture(input, ctx);
    expect(await type.observe(input, before, ctx)).toMatchObject({ state: 'not-applied' });
    const outputs = (await type.run(input, { ...ctx, before })) as never;
    expect(await type.observe(input, before, ctx)).toMatchObject({ state: 'applied', outputs });
    const undo = async () => {
      if (typeof type.undo === 'object') throw new Error('no undo');
      await type.undo(input, before, outputs, { ...ctx, before });
      expect(await type.observe(input, before, ctx)).toMatchObject({ state: 'not-applied' });
    };
    return { before, outputs, undo };
  };
  const look = (with_: object = {}) => inspect.run({ ...groups, ...with_ } as never, context('look'));
  return { sandbox, groups, context, live, look };
}

/** Nobody has lost anything, and nobody would at the next restart. */
function expectPromises({ inspect: seen }: Sandbox): void {
  for (const afterRestart of [false, true])
    expect([
      seen.everySecretReadable({ afterRestart }),
      seen.everyApiKeyValid({ afterRestart }),
      seen.everyWorkerTokenRenewed({ afterRestart }),
    ]).toMatchObject([{ ok: true }, { ok: true }, { ok: true }]);
}

const encrypted = {
  recipients: [AGE_PAIR.recipient],
  identity: Secret.fromText('identity', AGE_PAIR.identity),
};

describe('a rotation on the simulated control plane', () => {
  test('publishes, proves, activates and proves again, and everything that was ever encrypted stays readable', async () => {
    const { sandbox, live, look, groups, context } = await world();
    const key = sandbox.control.issueKey() ?? '';
    const workerToken = sandbox.control.workerToken();
    sandbox.control.writeSecret({ path: 'functions/f1/a', value: 'before' });
    const [old = ''] = (await look()).kids;
    const first = (await live(backup, { ...encrypted, file: 'one.age' })).outputs as { provenWith: string };
    expect(first.provenWith).toMatch(/^[^/]+\/[\w-]{43}$/);
    const { kid, version } = (await live(publish, {})).outputs as { kid: string; version: number };
    const second = (await live(backup, { ...encrypted, file: 'two.age', version }, 'again')).outputs;
    expect(second).toMatchObject({ kids: [old, kid] });
    const loaded = (await live(converge, { kid, consumers }, 'loaded')).outputs;
    expect(loaded).toMatchObject({ restarted: ['api-keys', 'nvcf-api'] });
    expectPromises(sandbox);
    await live(activate, { kid, after: version });
    const active = (await live(converge, { kid, consumers, current: true }, 'active')).outputs;
    expect(active).toMatchObject({ kid, version: version + 1 });
    expect(new Set(sandbox.inspect.loaded().map(({ current }) => current))).toEqual(new Set([kid]));
    expect(sandbox.control.readSecret({ path: 'functions/f1/a' })).toBe('before');
    expect(sandbox.control.validateKey(key)).toBe(true);
    expect(sandbox.control.workerToken(workerToken)).toBeTypeOf('string');
    sandbox.control.issueKey();
    expectPromises(sandbox);
    expect(await look({ history: true })).toMatchObject({ damaged: false, currentKid: kid });
    const census = await censusApiKeys.run(groups as never, context('census'));
    expect(census.kids.find((one) => one.kid === kid)?.rows).toBe(2);
    expect(census.kids.find((one) => one.kid === old)?.rows).toBeGreaterThan(0);
  });

  test('goes back without taking anything away', async () => {
    const { sandbox, live, look } = await world();
    const { currentKid: old } = await look();
    const published = await live(publish, {});
    const { kid } = published.outputs as { kid: string };
    await live(converge, { kid, consumers }, 'loaded');
    const activated = await live(activate, { kid });
    await live(converge, { kid, consumers, current: true }, 'active');
    const key = sandbox.control.issueKey() ?? '';
    await activated.undo();
    await published.undo();
    await live(converge, { kid: old, consumers, current: true }, 'back');
    expect(await look()).toMatchObject({ currentKid: old, kids: [old, kid] });
    expect(sandbox.control.validateKey(key)).toBe(true);
    expectPromises(sandbox);
  });

  test('that is taken back before the key was used leaves no trace of it', async () => {
    const { sandbox, live } = await world();
    const data = documentOf(sandbox);
    const published = await live(publish, {});
    await published.undo();
    expect(documentOf(sandbox)).toEqual(data);
    expectPromises(sandbox);
  });

  test.each(['lost', 'not-done'] as const)('an answer that is %s is not guessed', async (how) => {
    const { sandbox, live, look } = await world();
    sandbox.control.mishap({ at: 'kv-write', how });
    const attempt = live(publish, {}).then(
      ({ outputs }) => outputs as object,
      (error: unknown) => error as object,
    );
    const result = await attempt;
    const { kids, version } = await look();
    if (how === 'lost') expect([result, kids.length, version]).toMatchObject([{ version }, 2, 2]);
    else expect([result, kids.length]).toMatchObject([{ code: 'write-unanswered', outcome: 'unknown' }, 1]);
    expectPromises(sandbox);
  });

  test('a leader that gives up between the steps, and a clock that is wrong', async () => {
    const { sandbox, live, groups, context } = await world();
    sandbox.control.stepDown();
    await sandbox.services.clock.sleep(MINUTE, never);
    const { kid } = (await live(publish, {})).outputs as { kid: string };
    sandbox.control.stepDown();
    await sandbox.services.clock.sleep(MINUTE, never);
    await live(activate, { kid });
    sandbox.control.skewClock(5 * MINUTE);
    await expect(publish.predict(groups as never, context('p'))).rejects.toMatchObject({
      code: 'clock-skew',
    });
  });
});

test('encrypting, decrypting and proving take no simulated time, however long they really take', async () => {
  const { sandbox, live } = await world();
  const { clock } = sandbox.services;
  const started = clock.now();
  const alarm = new AbortController();
  let rang = false;
  // As a step's time limit does.
  void clock.sleep(30_000, alarm.signal).then(() => {
    rang = !alarm.signal.aborted;
  });
  await live(backup, { ...encrypted, file: 'quick.age' });
  expect([rang, clock.now() - started < 30_000]).toEqual([false, true]);
  alarm.abort();
});

test('months later nothing but the rows of API Keys keeps the old key, and retiring says so', async () => {
  const { sandbox, live, look, groups, context } = await world();
  const { currentKid: old } = await look();
  const { kid } = (await live(publish, {})).outputs as { kid: string };
  await live(converge, { kid, consumers }, 'loaded');
  await live(activate, { kid });
  await live(converge, { kid, consumers, current: true }, 'active');
  const { clock } = sandbox.services;
  const input = { ...groups, consumers, kid: old, cleanSince: new Date(clock.now()).toISOString() } as never;
  const early = await retire.predict(input, context('early'));
  const refusals = early.notes?.filter((note) => note.startsWith('it would be refused now'));
  expect(refusals?.map((note) => note.split(': ')[1])).toEqual([
    'an earlier clean census',
    'namespace keys',
    'rows of API Keys',
    'worker tokens',
  ]);
  await live(reencrypt as never, {}, 'reencrypt');
  await clock.sleep(4 * 60 * MINUTE, never);
  await expect(
    live(retire, { consumers, kid: old, cleanSince: new Date(clock.now() - 61 * MINUTE).toISOString() }),
  ).rejects.toMatchObject({
    code: 'retire-refused',
    details: [expect.stringMatching(/^rows of API Keys: \d+ rows are encrypted with it/)],
  });
  expect((await look()).kids).toContain(old);
});

describe('damage on the simulated control plane', () => {
  test('by the published procedure is found, and repaired with proof', async () => {
    const { sandbox, live, look } = await world();
    const key = sandbox.control.issueKey() ?? '';
    const { kid } = (await live(publish, {})).outputs as { kid: string };
    const data = documentOf(sandbox);
    const [old, made] = setOf(data, 'keys');
    const keys = Buffer.from(JSON.stringify({ keys: [made, old] })).toString('base64');
    const jwe_mapping = JSON.stringify({ payload_jwe_kid: kid });
    sandbox.control.editKv({ data: { ...data, keys, private_jwks: keys, current_kid: kid, jwe_mapping } });
    expect(sandbox.inspect.everyApiKeyValid({ afterRestart: true })).toMatchObject({ ok: false });
    const seen = await look({ history: true });
    expect(seen).toMatchObject({ valid: true, damaged: true, newestIntactPrivateJwks: 2 });
    const { outputs } = await live(repair, { fromVersion: seen.newestIntactPrivateJwks });
    expect(outputs).toMatchObject({ kids: expect.arrayContaining([old?.kid]) });
    await live(converge, { kid, consumers, current: true }, 'repaired');
    expect(sandbox.control.validateKey(key)).toBe(true);
    expect(await look({ history: true })).toMatchObject({ damaged: false });
    expectPromises(sandbox);
  });

  test('by the migrations Job is undone from a backup, key by key', async () => {
    const { sandbox, live, look } = await world();
    const { currentKid: old } = await look();
    await live(backup, { ...encrypted, file: 'whole.age' });
    sandbox.control.runMigrationsJob({ misbehaving: true });
    const { currentKid: blind } = await look();
    expect(blind).not.toBe(old);
    expect(sandbox.inspect.everySecretReadable({ afterRestart: true })).toMatchObject({ ok: false });
    const { outputs } = await live(restore, { file: 'whole.age', identity: encrypted.identity });
    expect(outputs).toMatchObject({
      added: [
        { set: 'keys', kid: old },
        { set: 'private_jwks', kid: old },
      ],
    });
    await live(activate, { kid: old });
    await live(converge, { kid: old, consumers, current: true });
    expect(await look()).toMatchObject({ currentKid: old, kids: [old, blind] });
    expectPromises(sandbox);
  });
});
