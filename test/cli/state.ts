import { readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { openSandbox } from '../../src/sandbox/open.ts';
import { type KubernetesObject, kinds } from '../../src/services/kubernetes.ts';
import type { Rig } from './rig.ts';

/** The folder of the only run in the state folder of a rig. */
export function runFolderOf(rig: Rig, state = 'state'): string {
  const runs = path.join(rig.folder, state, 'runbook', 'runs');
  const [id, ...more] = readdirSync(runs);
  if (id === undefined || more.length > 0) throw new Error(`not one run in ${runs}`);
  return path.join(runs, id);
}

export interface Recorded {
  readonly seq: number;
  readonly type: string;
  readonly [field: string]: unknown;
}

/** The records of its journal, read without the code under test. */
export function journalOf(rig: Rig, state?: string): readonly Recorded[] {
  return readFileSync(path.join(runFolderOf(rig, state), 'journal.jsonl'), 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line.replace(/^\d+ [0-9a-f]{64} /, '')) as Recorded);
}

export function recordsOf(rig: Rig, type: string): readonly Recorded[] {
  return journalOf(rig).filter((record) => record.type === type);
}

/** How often an object of the simulated cluster was written to, by its path; Leases are not counted. */
export function writesOf(rig: Rig): Readonly<Record<string, number>> {
  const writes: Record<string, number> = {};
  for (const line of readFileSync(path.join(runFolderOf(rig), 'world.jsonl'), 'utf8').split('\n')) {
    if (line === '') continue;
    const { call } = JSON.parse(line) as { call?: { method: string; path: string } };
    if (call === undefined || call.path.includes('/leases')) continue;
    const key = `${call.method} ${call.path.replace(/^\/apis?\/(?:apps\/)?v1\/namespaces\//, '')}`;
    writes[key] = (writes[key] ?? 0) + 1;
  }
  return writes;
}

/** A Deployment as the simulated cluster of the run has it now. */
export async function deploymentOf(rig: Rig, namespace: string, name: string): Promise<KubernetesObject> {
  const sandbox = openSandbox({ dir: runFolderOf(rig), seed: 1 });
  try {
    const found = await sandbox.services.kubernetes.get({ kind: kinds.deployments, namespace, name });
    if (found === undefined) throw new Error(`no Deployment ${namespace}/${name}`);
    return found;
  } finally {
    sandbox.close();
  }
}

/** Every file below a folder. */
export function filesBelow(folder: string): readonly string[] {
  return readdirSync(folder).flatMap((name) => {
    const file = path.join(folder, name);
    return statSync(file).isDirectory() ? filesBelow(file) : [file];
  });
}
