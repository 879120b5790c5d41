import { describe, expect, test } from 'vitest';
import { migrations } from '../../../src/steps/cassandra/migrations.ts';
import { storeFailure } from '../../fakes/fake-ledger.ts';
import { completeJob, failedJob, ledgerInput as input, migrationsRig } from '../../fakes/migrations-rig.ts';

describe('cassandra.migrations', () => {
  test('reads Jobs and ledger; a Job that completed counts, however many of its pods failed', async () => {
    const { ctx, ledger, putJob } = migrationsRig();
    putJob('cassandra-migrations', completeJob);
    const outputs = await migrations.run(input, ctx);
    expect(outputs).toMatchObject({
      jobs: [
        { name: 'cassandra-initialize-cluster', state: 'absent', finishedAt: '' },
        {
          name: 'cassandra-migrations',
          state: 'complete',
          failedPods: 2,
          finishedAt: '2026-11-24T18:00:00Z',
        },
      ],
      jobsOk: true,
      // One that is not there is no success.
      jobsComplete: false,
      ledger: [
        { keyspace: 'ess_api', version: 23, state: 'clean' },
        { keyspace: 'nvcf_api', version: 41, state: 'clean' },
      ],
      dirty: [],
      clean: true,
      healthy: true,
      summary:
        'Jobs: cassandra-initialize-cluster absent, cassandra-migrations complete; ledger of 2 keyspaces clean',
    });
    const [target] = ledger.targets;
    expect(target).toMatchObject({
      namespace: 'cassandra-system',
      selector: 'app=cassandra',
      datacenter: 'ncp',
    });
    expect(target?.username.revealText((text) => text)).toBe('cassandra');
    expect(target?.password.revealText((text) => text)).toBe('canary-password');
    expect(JSON.stringify(outputs)).not.toContain('canary');
  });

  test.each([
    ['failed', failedJob, { state: 'failed', failedPods: 7 }],
    ['runs', { active: 1, failed: 1 }, { state: 'running', failedPods: 1 }],
    ['has not begun', {}, { state: 'running' }],
  ])('a Job that %s is not fine', async (_, status, state) => {
    const { ctx, putJob } = migrationsRig();
    putJob('cassandra-migrations', status);
    const outputs = await migrations.run({ ...input, jobs: ['cassandra-migrations'] }, ctx);
    expect(outputs).toMatchObject({
      jobs: [state],
      jobsOk: false,
      jobsComplete: false,
      clean: true,
      healthy: false,
    });
    expect(migrations.findings?.(outputs).details[0]).toMatch(
      /^Job cassandra-migrations (failed|has not ended)/,
    );
  });

  test.each([
    ['dirty', [{ version: 42, dirty: true }], 42],
    ['dirty', [{ version: 42, dirty: null }], 42],
    ['empty', [], -1],
    [
      'ambiguous',
      [
        { version: 41, dirty: false },
        { version: 42, dirty: false },
      ],
      42,
    ],
  ])('a table that is %s is not clean', async (state, rows, version) => {
    const { ctx, ledger } = migrationsRig();
    ledger.tables.set('nvcf_api', rows);
    const outputs = await migrations.run(input, ctx);
    expect(outputs.ledger[1]).toEqual({ keyspace: 'nvcf_api', version, state });
    expect(outputs).toMatchObject({
      clean: false,
      healthy: false,
      dirty: state === 'dirty' ? ['nvcf_api 42'] : [],
    });
    expect(migrations.findings?.(outputs).details.join()).toContain('nvcf_api');
  });

  test('nothing is clean that was not looked at, or is not there', async () => {
    const { ctx, ledger } = migrationsRig();
    const { password: _, ...without } = input;
    expect(await migrations.run(without, ctx)).toMatchObject({
      ledgerKnown: false,
      clean: false,
      healthy: false,
    });
    expect(ledger.targets).toEqual([]);
    const outputs = await migrations.run({ ...input, keyspaces: ['ess_api', 'sis_api'] }, ctx);
    expect(outputs).toMatchObject({ clean: false });
    expect(outputs.ledger.at(-1)).toEqual({ keyspace: 'sis_api', version: -1, state: 'missing' });
    ledger.tables.clear();
    expect(await migrations.run(input, ctx)).toMatchObject({ clean: false, ledger: [] });
  });

  test.each([
    ['unauthenticated', 'cassandra-credentials', 'superuser'],
    ['forbidden', 'cassandra-credentials', 'roles of the services'],
    ['no-quorum', 'cassandra-no-quorum', 'cassandra.status'],
  ])('what Cassandra refuses (%s) is told with the next step', async (reason, code, hint) => {
    const { ctx, ledger } = migrationsRig();
    ledger.fails = storeFailure(reason);
    await expect(migrations.run(input, ctx)).rejects.toMatchObject({
      code,
      hint: expect.stringContaining(hint),
    });
  });
});
