import { image } from '../image-names.ts';
import { doubleCommand, nodeMounts } from './double.ts';
import type { Manifest } from './manifest.ts';
import { migrationsAccount, rootTokenSecret, vaultNamespace } from './openbao.ts';

/** The Job that initialises a new OpenBao; here `up` has done it before Helm could. */
export function initializeClusterJob(): Manifest {
  const command = ['/bin/sh', '-c', 'echo initialized'];
  const container = { name: 'initialize-cluster', image, imagePullPolicy: 'Never', command };
  return job('openbao-server-initialize-cluster', container, []);
}

/** The migrations Job of the OpenBao chart; not part of the seed, since it runs with `helm upgrade` alone. */
export function migrationsJob({ readFails }: { readFails: boolean | string }): Manifest {
  const token = { name: 'root-token', mountPath: '/var/run/secrets/root-token', readOnly: true };
  const container = {
    name: 'bao-migrations',
    image,
    imagePullPolicy: 'Never',
    command: doubleCommand('migrations'),
    env: [
      { name: 'SERVICE_NAME', value: 'bao-migrations' },
      { name: 'READ_FAILS', value: String(readFails) },
    ],
    volumeMounts: [...nodeMounts().map(({ mount }) => mount), token],
  };
  return job('openbao-server-migrations', container, [
    ...nodeMounts().map(({ volume }) => volume),
    { name: 'root-token', secret: { secretName: rootTokenSecret } },
  ]);
}

function job(name: string, container: object, volumes: readonly object[]): Manifest {
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name, namespace: vaultNamespace },
    spec: {
      backoffLimit: 0,
      template: {
        spec: {
          serviceAccountName: migrationsAccount,
          automountServiceAccountToken: false,
          enableServiceLinks: false,
          restartPolicy: 'Never',
          terminationGracePeriodSeconds: 1,
          containers: [container],
          volumes,
        },
      },
    },
  };
}
