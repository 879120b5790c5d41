import type { V1Job } from '@kubernetes/client-node';
import { type Connection, deleteObject, listObjects, putObject, readObject } from './api.ts';
import { migrationsJob } from './manifests/migrations.ts';
import { waitFor } from './shell.ts';
import { podsOf } from './workloads.ts';

/**
 * Runs the Job of the OpenBao chart that every `helm upgrade` runs. With `readFails` its read of the master key
 * document gets no answer, so that it takes the document for missing and writes fresh keys.
 */
export async function runMigrations(
  connection: Connection,
  { readFails = false }: { readFails?: boolean } = {},
): Promise<{ succeeded: boolean; log: string }> {
  const job = migrationsJob({ readFails });
  const { name, namespace = '' } = job.metadata;
  await removeJob(connection, job);
  await putObject(connection, job);
  const { succeeded = 0 } = await waitFor(
    async () => {
      const found = (await readObject(connection, job)) as V1Job | undefined;
      return ((found?.status?.succeeded ?? 0) > 0 || (found?.status?.failed ?? 0) > 0) && found?.status;
    },
    { what: `${name} to end`, seconds: 120 },
  );
  const [pod] = await podsOf(connection, namespace, `job-name=${name}`);
  const log = await connection.core.readNamespacedPodLog({ namespace, name: pod?.metadata?.name ?? '' });
  return { succeeded: succeeded > 0, log };
}

async function removeJob(connection: Connection, job: ReturnType<typeof migrationsJob>): Promise<void> {
  await deleteObject(connection, job);
  await waitFor(
    async () => {
      const jobs = await listObjects<V1Job>(connection, 'batch/v1', 'Job', job.metadata.namespace);
      return jobs.every(({ metadata }) => metadata?.name !== job.metadata.name);
    },
    { what: 'the earlier Job to go', seconds: 60 },
  );
}
