import { expect, test } from 'vitest';
import { createRig } from './rig.ts';
import { journalOf } from './state.ts';

const upgrade = ['service=invocation-service', 'version=1.5.9', 'reuse=true', 'acceptJobs=true'];

test('an upgrade whose Jobs ran is not undone: the rollback says so at once, what is where and what to do', async () => {
  const rig = createRig();
  const inputs = upgrade.flatMap((value) => ['--input', value]);
  expect((await rig.run(['exec', 'spot-upgrade', '--sandbox', '--yes', ...inputs])).code).toBe(1);
  const failedAt = Date.parse(String(journalOf(rig).at(-1)?.time));

  for (const command of ['rollback', 'resume']) {
    const { code, stderr } = await rig.run([command, 'last', '--yes']);
    expect(code, stderr).toBe(6);
    expect(stderr).toMatch(
      /^\S+ {2}NOT UNDONE +upgrade .*: Release nvcf\/invocation-service stays at revision 2 /m,
    );
    expect(stderr).toMatch(
      /rollback-incomplete the rollback stopped at "Upgrade Invocation Service to 1\.5\.9": .* \(helm-nvcf-invocation-service 1\.5\.9, failed\): its upgrade ran the Job invocation-service-migrations,/,
    );
    expect(stderr).toContain('next: Find out whether the earlier version copes with it (schema, keys).');
    expect(stderr).not.toContain('not finished within');
  }
  expect(Date.parse(String(journalOf(rig).at(-1)?.time)) - failedAt).toBeLessThan(60_000);
});
