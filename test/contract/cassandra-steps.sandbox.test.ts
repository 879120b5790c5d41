import { openSandbox } from '../../src/sandbox/open.ts';
import { cassandraStepsContract } from './cassandra-steps.ts';

const never = new AbortController().signal;

cassandraStepsContract('the sandbox', async () => {
  const sandbox = openSandbox({ seed: 17 });
  const { services, control } = sandbox;
  await services.clock.sleep(600_000, never);
  return {
    services,
    pods: ['cassandra-0', 'cassandra-1', 'cassandra-2'],
    tag: 'contract',
    stop: async (pod) => control.stopNode(pod),
    release: async () => {
      for (const at of [0, 1, 2]) control.startNode(`cassandra-${at}`);
      await services.clock.sleep(120_000, never);
    },
    denied: async () => sandbox.restricted([{ verb: 'get', resource: 'serviceaccounts' }]),
  };
});
