import { createSystemClock } from '../../src/services/clock-system.ts';
import { createKubernetes } from '../../src/services/kubernetes-real.ts';
import { createProcessRunner } from '../../src/services/process-node.ts';
import type { Services } from '../../src/services/services.ts';
import { cassandraStepsContract } from '../contract/cassandra-steps.ts';
import { sendSignal } from '../fakes/send-signal.ts';
import { cassandraPods, createUser, ensureUp, holdCassandra, releaseCassandra } from './control.ts';
import { cassandraNamespace as namespace } from './manifests/cassandra.ts';

const clock = createSystemClock();
const runner = createProcessRunner({ kill: sendSignal, environment: process.env });

function writer(kubeconfig: string) {
  return createKubernetes({ kubeconfig, clock, process: runner, environment: {} });
}

cassandraStepsContract('a real cluster', async () => {
  const kubernetes = writer((await ensureUp()).kubeconfig);
  return {
    // The steps on Cassandra's nodes reach for these alone.
    services: { clock, kubernetes } as Services,
    pods: cassandraPods,
    tag: `contract-${process.pid}-${clock.now()}`,
    stop: holdCassandra,
    release: releaseCassandra,
    denied: async () =>
      writer(
        await createUser(`cassandra-steps-${process.pid}`, [
          { namespace, apiGroups: [''], resources: ['serviceaccounts'], verbs: ['get'] },
        ]),
      ),
  };
});
