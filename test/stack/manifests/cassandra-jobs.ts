import { image } from '../image-names.ts';
import { cassandraNamespace } from './cassandra.ts';
import { cassandraDatacenter, cassandraPods } from './cassandra-config.ts';
import { chartValue, hook } from './chart-value.ts';
import { doubleCommand, nodeMounts } from './double.ts';
import type { Manifest } from './manifest.ts';

/** The Jobs that run with every upgrade of the Cassandra chart. Their password stands in clear in their environment, as there. */
export function cassandraJobs(): Manifest[] {
  return [
    hook(job('cassandra-initialize-cluster', 'initialize-cluster'), everyUpgrade, -5),
    hook(job('cassandra-migrations', 'migrations'), everyUpgrade, 2),
  ];
}

const everyUpgrade = ['post-install', 'post-upgrade'] as const;

function job(name: string, what: 'initialize-cluster' | 'migrations'): Manifest {
  const variables = {
    SERVICE_NAME: name,
    JOB: what,
    USERNAME: chartValue('cassandra.dbUser.user'),
    PASSWORD: chartValue('cassandra.dbUser.password'),
    FAILS: chartValue('migrations.fails'),
    COPIES: String(cassandraPods.length),
    DATACENTER: cassandraDatacenter,
  };
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name, namespace: cassandraNamespace },
    spec: {
      // The chart's own tries more often; a migration that broke off is dirty, and no further try helps.
      backoffLimit: 0,
      template: {
        spec: {
          automountServiceAccountToken: false,
          enableServiceLinks: false,
          restartPolicy: 'Never',
          terminationGracePeriodSeconds: 1,
          containers: [
            {
              name: what,
              image,
              imagePullPolicy: 'Never',
              command: doubleCommand('cassandra-jobs'),
              env: Object.entries(variables).map(([variable, value]) => ({ name: variable, value })),
              volumeMounts: nodeMounts().map(({ mount }) => mount),
            },
          ],
          volumes: nodeMounts().map(({ volume }) => volume),
        },
      },
    },
  };
}
