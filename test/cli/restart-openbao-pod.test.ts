import { expect, test } from 'vitest';
import { inWorld, newestRun } from './key-runs.ts';
import { createRig } from './rig.ts';

const pod = 'openbao-server-1';

test('after a rollback of restart-openbao-pod the pod is back, unsealed and a voter', async () => {
  const rig = createRig();
  const restart = ['exec', 'restart-openbao-pod', '--sandbox', '--yes', '--input', `pod=${pod}`];
  const killed = await rig.run([...restart, '--fault', 'replace=crash-after']);
  expect(killed.signal, killed.stderr).toBe('SIGKILL');
  const back = await rig.run(['rollback', 'last', '--yes']);
  expect(back.code, back.stderr).toBe(5);
  const { code, stdout, stderr } = await inWorld(rig, newestRun(rig), ['exec', 'openbao-state']);
  expect(stdout, stderr).toContain('3 of 3 unsealed');
  expect(code, stderr).toBe(0);
});
