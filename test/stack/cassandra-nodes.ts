import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Connection } from './api.ts';
import { isReady, isStatus } from './api.ts';
import { cgroupProcesses } from './cgroups.ts';
import { cassandraControlFolder, cassandraNamespace } from './manifests/cassandra.ts';
import { cassandraPods } from './manifests/cassandra-config.ts';
import { waitFor } from './shell.ts';

/** Stops a node's process where it is: its connections stay open, and nothing on them is answered any more. */
export function pauseNode(pod: string): void {
  signal(pod, 'SIGSTOP');
}

/** Lets a paused node go on. */
export function resumeNode(pod: string): void {
  signal(pod, 'SIGCONT');
}

/** Ends a node and keeps its next pod from starting until `releaseNodes`: its address refuses connections or is gone. */
export async function holdNode({ core }: Connection, pod: string): Promise<void> {
  mkdirSync(cassandraControlFolder(), { recursive: true });
  writeFileSync(path.join(cassandraControlFolder(), `hold-${pod}`), '');
  const place = { name: pod, namespace: cassandraNamespace };
  const before = await core.readNamespacedPod(place);
  await core.deleteNamespacedPod({ ...place, gracePeriodSeconds: 1 });
  await waitFor(
    async () => {
      try {
        const now = await core.readNamespacedPod(place);
        return now.metadata?.uid !== before.metadata?.uid && !isReady(now);
      } catch (error) {
        return isStatus(error, 404);
      }
    },
    { what: `${pod} to be gone`, seconds: 60 },
  );
}

/** Takes back every `pauseNode` and `holdNode`; the nodes need a moment to come up. */
export function releaseNodes(): void {
  for (const pod of cassandraPods) {
    rmSync(path.join(cassandraControlFolder(), `hold-${pod}`), { force: true });
    for (const pid of processesOf(pod)) process.kill(pid, 'SIGCONT');
  }
}

function signal(pod: string, name: NodeJS.Signals): void {
  const pids = processesOf(pod);
  if (pids.length === 0) throw new Error(`${pod} has no running node`);
  for (const pid of pids) process.kill(pid, name);
}

function processesOf(pod: string): number[] {
  return cgroupProcesses().filter((pid) => {
    try {
      const environment = readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0');
      const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
      return (
        environment.includes(`POD_NAME=${pod}`) &&
        command.includes('org.apache.cassandra.service.CassandraDaemon')
      );
    } catch {
      // It ended between the list and the look.
      return false;
    }
  });
}
