import { expect } from 'vitest';
import { connect, listWorkloads } from '../../../api.ts';
import { onePod, podsOf } from '../../../workloads.ts';
import type { Failure, RunbookCase, Scene } from '../case.ts';
import { allowPods, forbidPods } from '../trouble.ts';

const notary = {
  namespace: 'nvcf',
  name: 'notary-service',
  selector: 'app.kubernetes.io/name=helm-nvcf-notary-service',
};
const markOf = 'runbook.io/op';

async function workload(name: string) {
  const found = (await listWorkloads(connect())).find(({ metadata }) => metadata?.name === name);
  if (found === undefined) throw new Error(`no workload ${name}`);
  return found;
}

/** Each of these workloads was rolled out by a run. */
async function expectMarked(...names: string[]): Promise<void> {
  for (const name of names) {
    const { spec } = await workload(name);
    expect(spec?.template.metadata?.annotations, name).toHaveProperty([markOf]);
  }
}

async function expectReplicas(name: string, replicas: number): Promise<void> {
  const { spec, status } = await workload(name);
  expect([spec?.replicas, status?.readyReplicas ?? 0]).toEqual([replicas, replicas]);
}

/** New pods are refused from the moment on at which the change begins. */
function noNewPods(namespace: string, id: string, more: readonly string[]): Failure {
  return {
    what: 'the quota of the namespace admits no new pod',
    prepare: () => [...more, 'timeout=12s'],
    strike: {
      at: (event) => event.type === 'evaluated' && event.id === id,
      does: ({ admin }) => forbidPods(admin, namespace),
    },
    heal: ({ admin }) => allowPods(admin, namespace),
  };
}

const restartOfNotary = [
  'service=notary',
  'namespace=nvcf',
  'kind=Deployment',
  'resource=notary-service',
  `selector=${notary.selector}`,
];

/** Restarts, scaling, and what only looks. */
export const serviceCases: readonly RunbookCase[] = [
  {
    runbook: 'check-health',
    prepare: () => [],
    done: async (_, { stdout }) => expect(stdout).toContain('run-finished'),
    killed: false,
    alsoIn: 'health.test.ts',
  },
  {
    runbook: 'collect-logs',
    prepare: () => ['service=notary'],
    done: async (_, { stdout }) => expect(stdout).toContain('Started helm-nvcf-notary-service'),
    killed: false,
  },
  {
    runbook: 'describe-service',
    prepare: () => ['service=ess-api'],
    done: async ({ admin }, { stdout }) => {
      const { metadata } = await onePod(admin, 'ess', 'app.kubernetes.io/name=helm-nvcf-ess-api');
      expect(stdout).toContain(metadata?.name);
    },
    killed: false,
  },
  {
    runbook: 'restart-service',
    prepare: () => ['service=notary'],
    done: () => expectMarked('notary-service'),
    failure: noNewPods('nvcf', 'restart/rolling', ['service=notary']),
    killed: true,
    alsoIn: 'restart-service.test.ts',
  },
  {
    runbook: 'restart-workload',
    prepare: () => restartOfNotary,
    done: () => expectMarked('notary-service'),
    failure: noNewPods('nvcf', 'rolling', restartOfNotary),
    killed: true,
  },
  {
    runbook: 'restart-namespace',
    prepare: () => ['namespace=api-keys'],
    done: () => expectMarked('api-keys', 'admin-token-issuer-proxy'),
    failure: noNewPods('api-keys', 'services', ['namespace=api-keys']),
    killed: true,
  },
  {
    runbook: 'restart-all',
    prepare: () => [],
    done: () =>
      expectMarked('nvcf-api', 'ess-api-deployment', 'spot-instance-service', 'api-keys', 'notary-service'),
    failure: {
      ...noNewPods('sis', 'services', ['except=cassandra,openbao,nats']),
      what: 'the quota of one namespace admits no new pod',
    },
    killed: true,
  },
  {
    runbook: 'scale-service',
    prepare: () => ['service=notary', 'replicas=2'],
    done: () => expectReplicas('notary-service', 2),
    failure: noNewPods('nvcf', 'scale', ['service=notary', 'replicas=2']),
    killed: true,
  },
  {
    runbook: 'take-offline',
    prepare: () => ['service=notary'],
    done: () => expectReplicas('notary-service', 0),
    failure: {
      what: 'the operator breaks it off',
      exit: 130,
      strike: {
        at: (event) => event.type === 'intended' && event.id === 'stop',
        does: async (_, running) => running.signal('SIGINT'),
      },
    },
    killed: true,
  },
  {
    runbook: 'bring-online',
    prepare: async (scene) => {
      await takeOffline(scene);
      return ['service=notary'];
    },
    done: () => expectReplicas('notary-service', 1),
    failure: {
      ...noNewPods('nvcf', 'start', ['service=notary']),
      prepare: async (scene) => {
        await takeOffline(scene);
        return ['service=notary', 'timeout=12s'];
      },
    },
    killed: true,
  },
];

async function takeOffline({ operator, admin }: Scene): Promise<void> {
  const { code, stderr } = await operator.run(['exec', 'take-offline', '--yes', '--input', 'service=notary']);
  expect(code, stderr).toBe(0);
  expect(await podsOf(admin, notary.namespace, notary.selector)).toEqual([]);
}
