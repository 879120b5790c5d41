import { expect, test } from 'vitest';
import { secretEnvironment } from '../../src/engine/secret-environment.ts';

test('secrets leave the environment at once, tokens when they are asked for, and both can be asked for again', () => {
  const env: Record<string, string | undefined> = {
    RUNBOOK_SECRET_A: 'first-secret',
    RUNBOOK_SECRET_B: 'second-secret',
    RUNBOOKS: 'stays',
    BAO_TOKEN: 'a-token',
    PATH: '/bin',
  };
  const takeEnv = secretEnvironment(env);
  expect(env).toEqual({ BAO_TOKEN: 'a-token', RUNBOOKS: 'stays', PATH: '/bin' });
  expect([takeEnv('RUNBOOK_SECRET_A'), takeEnv('RUNBOOK_SECRET_A')]).toEqual([
    'first-secret',
    'first-secret',
  ]);
  expect([takeEnv('BAO_TOKEN'), takeEnv('BAO_TOKEN')]).toEqual(['a-token', 'a-token']);
  expect(takeEnv('RUNBOOK_SECRET_C')).toBeUndefined();
  expect(env).toEqual({ RUNBOOKS: 'stays', PATH: '/bin' });
});
