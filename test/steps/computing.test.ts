import { expect, test } from 'vitest';
import { Secret } from '../../src/engine/secret.ts';
import type { RunContext } from '../../src/engine/step-type.ts';
import { AGE_PAIR } from '../../src/sandbox/inputs.ts';
import { backup } from '../../src/steps/mek/backup.ts';
import { verify } from '../../src/steps/nek/verify.ts';
import { keepsakeRig } from '../fakes/keepsake-rig.ts';
import { openKeys } from '../sandbox/keys-rig.ts';
import { never } from '../sandbox/rig.ts';

/**
 * Cryptography on other threads is nothing that a simulated world sees. Whoever sleeps beside it, as every lock and every deadline does,
 * must not be woken because of it: otherwise a slow machine would run into timeouts that a fast one does not.
 */
async function virtualTimeOf(work: (ctx: RunContext, groups: object) => Promise<unknown>): Promise<number> {
  const sandbox = openKeys({ neks: { namespaces: 3, each: 100 } });
  const { clock } = sandbox.services;
  await clock.sleep(600_000, never);
  const { token } = sandbox.inputs({ token: { type: 'secret', description: 'token' } });
  const ended = new AbortController();
  const beside = async () => {
    while (!ended.signal.aborted) await clock.sleep(15_000, ended.signal);
  };
  const sleeper = beside();
  const before = clock.now();
  await work(
    {
      services: sandbox.services,
      signal: never,
      runId: 'run',
      instance: 'step',
      operationKey: 'rb-1',
      deadline: clock.now() + 3_600_000,
      progress: () => undefined,
      checkpoint: async () => undefined,
      ...keepsakeRig(),
    },
    {
      openbao: { namespace: 'vault-system', selector: 'component=server', token },
      cassandra: { namespace: 'cassandra-system', selector: 'app.kubernetes.io/name=cassandra' },
    },
  );
  const passed = clock.now() - before;
  ended.abort();
  await sleeper;
  return passed;
}

test('proving namespace keys takes no more simulated time than reading them', async () => {
  const passed = await virtualTimeOf(async (ctx, groups) => {
    expect(await verify.run(groups as never, ctx)).toMatchObject({ ok: true, checked: 300 });
  });
  expect(passed).toBeLessThan(2000);
});

test('making and proving a backup takes no simulated time for its encryption', async () => {
  const passed = await virtualTimeOf(async (ctx, groups) => {
    const keys = {
      file: 'mek.age',
      recipients: [AGE_PAIR.recipient],
      identity: Secret.fromText('identity', AGE_PAIR.identity),
    };
    const input = { ...groups, ...keys } as never;
    const before = await backup.capture(input, ctx);
    expect(await backup.run(input, { ...ctx, before })).toMatchObject({ file: 'mek.age' });
    expect(await backup.observe(input, before, ctx)).toMatchObject({ state: 'applied' });
  });
  expect(passed).toBeLessThan(2000);
});
