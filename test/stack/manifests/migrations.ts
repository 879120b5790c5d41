import { image } from '../image-names.ts';
import { doubleCommand, nodeMounts } from './double.ts';
import type { Manifest } from './manifest.ts';
import { migrationsAccount, rootTokenSecret, vaultNamespace } from './openbao.ts';

/** The migrations Job of the OpenBao chart; not part of the seed, since it runs with `helm upgrade` alone. */
export function migrationsJob({ readFails }: { readFails: boolean }): Manifest {
  const token = { name: 'root-token', mountPath: '/var/run/secrets/root-token', readOnly: true };
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name: 'openbao-server-migrations', namespace: vaultNamespace },
    spec: {
      backoffLimit: 0,
      template: {
        spec: {
          serviceAccountName: migrationsAccount,
          automountServiceAccountToken: false,
          enableServiceLinks: false,
          restartPolicy: 'Never',
          terminationGracePeriodSeconds: 1,
          containers: [
            {
              name: 'bao-migrations',
              image,
              imagePullPolicy: 'Never',
              command: doubleCommand('migrations'),
              env: [
                { name: 'SERVICE_NAME', value: 'bao-migrations' },
                { name: 'READ_FAILS', value: String(readFails) },
              ],
              volumeMounts: [...nodeMounts().map(({ mount }) => mount), token],
            },
          ],
          volumes: [
            ...nodeMounts().map(({ volume }) => volume),
            { name: 'root-token', secret: { secretName: rootTokenSecret } },
          ],
        },
      },
    },
  };
}
