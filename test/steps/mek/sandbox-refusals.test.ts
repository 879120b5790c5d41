import { generateIdentity } from 'age-encryption';
import { describe, expect, test } from 'vitest';
import { Secret } from '../../../src/engine/secret.ts';
import type { RunContext } from '../../../src/engine/step-type.ts';
import { AGE_PAIR } from '../../../src/sandbox/inputs.ts';
import { openSandbox, type Sandbox } from '../../../src/sandbox/open.ts';
import type { FileStore } from '../../../src/services/files.ts';
import { activate } from '../../../src/steps/mek/activate.ts';
import { backup } from '../../../src/steps/mek/backup.ts';
import { publish } from '../../../src/steps/mek/publish.ts';
import { few, seed } from '../../cli/key-world.ts';
import { bao, document } from '../../cli/spoil.ts';
import { keepsakeRig } from '../../fakes/keepsake-rig.ts';
import { never } from '../../sandbox/rig.ts';

const metadata = document.replace('/data/', '/metadata/');
const credentials = 'services/ess-api/kv/data/cassandra/creds';

async function settled(files?: (own: FileStore) => FileStore) {
  const sandbox = openSandbox({ seed, neks: few });
  const { clock } = sandbox.services;
  await clock.sleep(600_000, never);
  const { token } = sandbox.inputs({ token: { type: 'secret', description: 'token' } });
  const services = { ...sandbox.services, files: files?.(sandbox.services.files) ?? sandbox.services.files };
  const ctx: RunContext = {
    services,
    signal: never,
    runId: 'run',
    instance: 'step',
    operationKey: 'rb-step',
    deadline: clock.now() + 3_600_000,
    progress: () => undefined,
    checkpoint: async () => undefined,
    ...keepsakeRig(),
  };
  const given = (more: object, as: unknown = token) =>
    ({
      openbao: { namespace: 'vault-system', selector: 'component=server', token: as },
      cassandra: { namespace: 'cassandra-system', selector: 'app.kubernetes.io/name=cassandra' },
      apiKeys: { namespace: 'cassandra-system', selector: 'app.kubernetes.io/name=cassandra' },
      ...more,
    }) as never;
  return { sandbox, ctx, given };
}

/** A token with a policy of its own. */
async function tokenFor(
  sandbox: Sandbox,
  rules: Readonly<Record<string, readonly string[]>>,
): Promise<Secret> {
  const policy = Object.entries(rules)
    .map(([path, list]) => `path "${path}" { capabilities = ${JSON.stringify(list)} }`)
    .join('\n');
  await bao(sandbox, 'PUT sys/policies/acl/narrow', { policy });
  const { auth } = await bao(sandbox, 'POST auth/token/create', { policies: ['narrow'], ttl: '1h' });
  return Secret.fromText('token', (auth as { client_token: string }).client_token);
}

describe('a token that may not do everything', () => {
  test.each([
    [
      'write the document',
      publish,
      { [document]: ['read'], [metadata]: ['read'], [credentials]: ['read'] },
      [`path "${document}" {`, '  capabilities = ["update"]', '}'],
    ],
    [
      'read the list of its versions',
      activate,
      { [document]: ['read', 'update'], [credentials]: ['read'] },
      [`path "${metadata}" {`, '  capabilities = ["read"]', '}'],
    ],
    [
      'read the credentials of Cassandra',
      backup,
      { [document]: ['read'], [metadata]: ['read'] },
      [`path "${credentials}" {`, '  capabilities = ["read"]', '}'],
    ],
  ])('namely %s, is told the policy that it lacks', async (_, step, rules, policy) => {
    const { sandbox, ctx, given } = await settled();
    const before = sandbox.inspect.secret();
    const token = await tokenFor(sandbox, rules);
    const { current_kid: kid } = before?.data ?? {};
    const own = {
      recipients: [AGE_PAIR.recipient],
      identity: Secret.fromText('identity', AGE_PAIR.identity),
    };
    const input = given(
      step === backup ? { ...own, file: 'mek.age' } : step === activate ? { kid } : {},
      token,
    );
    for (const ask of [() => step.predict(input, ctx), () => step.capture(input, ctx)])
      await expect(ask()).rejects.toMatchObject({
        code: 'policy-missing',
        outcome: 'not-applied',
        details: expect.arrayContaining(policy),
        hint: expect.stringContaining('runbook plan --access'),
      });
    expect(sandbox.inspect.secret()).toEqual(before);
  });

  test('is wrong or over, is told so, and not that a policy is missing', async () => {
    const { sandbox, ctx, given } = await settled();
    const short = await tokenFor(sandbox, { [document]: ['read'] });
    await sandbox.services.clock.sleep(2 * 3_600_000, never);
    for (const token of [short, Secret.fromText('token', 's.never-given-out')])
      await expect(publish.predict(given({}, token), ctx)).rejects.toMatchObject({ code: 'token-refused' });
  });
});

const encrypted = {
  file: 'mek.age',
  recipients: [AGE_PAIR.recipient],
  identity: Secret.fromText('identity', AGE_PAIR.identity),
};

describe('a backup', () => {
  test('for which there is no room is not made, and nothing is claimed', async () => {
    const full: FileStore['create'] = () =>
      Promise.reject(new Error('Cannot create mek.age: no space is left on the device (ENOSPC)'));
    const { sandbox, ctx, given } = await settled((own) => ({ ...own, create: full }));
    const stored = sandbox.inspect.secret();
    const input = given(encrypted);
    const before = await backup.capture(input, ctx);
    await expect(backup.run(input, { ...ctx, before })).rejects.toMatchObject({
      code: 'file-not-written',
      outcome: 'not-applied',
      hint: expect.stringContaining('room on its disk'),
      message: expect.stringContaining('mek.age: no space is left on the device'),
    });
    expect(await backup.observe(input, before, ctx)).toMatchObject({ state: 'not-applied' });
    expect(sandbox.inspect.secret()).toEqual(stored);
  });

  test('that is not whole on the disk is no backup', async () => {
    const cut = (own: FileStore): FileStore => ({
      ...own,
      create: (file, content) => own.create(file, (content as Uint8Array).subarray(0, 300)),
    });
    const { ctx, given } = await settled(cut);
    const input = given(encrypted);
    const before = await backup.capture(input, ctx);
    await expect(backup.run(input, { ...ctx, before })).rejects.toMatchObject({
      code: 'backup-unproven',
      message: expect.stringContaining('mek.age'),
      hint: expect.stringMatching(/./),
    });
    expect(await backup.observe(input, before, ctx)).toMatchObject({ state: 'conflict' });
  });

  test('never takes the place of another file', async () => {
    const { ctx, given } = await settled();
    await ctx.services.files.create('mek.age', Buffer.from('something else'));
    for (const ask of [backup.predict, backup.capture])
      await expect(ask(given(encrypted), ctx)).rejects.toMatchObject({
        code: 'backup-exists',
        message: expect.stringContaining('mek.age'),
        hint: expect.stringMatching(/./),
      });
    expect(Buffer.from(await ctx.services.files.read('mek.age', 100)).toString()).toBe('something else');
  });

  test('that the identity cannot open is refused before anything is read', async () => {
    const { ctx, given } = await settled();
    const other = Secret.fromText('identity', await generateIdentity());
    const input = given({ ...encrypted, identity: other });
    await expect(backup.predict(input, ctx)).rejects.toMatchObject({ code: 'backup-unproven' });
  });
});
