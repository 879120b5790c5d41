import type { V1Deployment } from '@kubernetes/client-node';
import { type Connection, isSettled } from './api.ts';
import { waitFor } from './shell.ts';

/** Sets variables of a Deployment's first container, as `kubectl set env` does, and waits for the roll-out. */
export async function setEnvironment(
  connection: Connection,
  place: { namespace: string; name: string; container: string },
  values: Record<string, string>,
): Promise<void> {
  const env = Object.entries(values).map(([name, value]) => ({ name, value }));
  const containers = [{ name: place.container, env }];
  await patchDeployment(connection, place, { template: { spec: { containers } } });
}

/** Changes a Deployment and waits for the roll-out. */
export async function patchDeployment(
  connection: Connection,
  { namespace, name }: { namespace: string; name: string },
  spec: object,
): Promise<void> {
  const target = { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name, namespace } };
  await connection.objects.patch({ ...target, spec } as never);
  await waitFor(async () => isSettled(await connection.objects.read<V1Deployment>(target)), {
    what: `${name} to roll out`,
    seconds: 180,
  });
}
