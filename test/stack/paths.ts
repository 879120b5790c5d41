import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

/** The Go modules that the servers are built from, in the order in which they are built. */
export const goModules = ['kubernetes', 'openbao', 'coredns'] as const;

/** Kubernetes name of the only node. */
export const nodeName = 'runbook-stack';

/** The bridge that pods hang on; its address is the node's address. */
export const bridge = { name: 'rbstack0', address: '10.88.0.1', prefix: 16, subnet: '10.88.0.0/16' } as const;

/** Loopback ports are far from the usual ones, so that a cluster of the developer's own can run beside this one. */
export const ports = {
  apiServer: 6443,
  etcdClient: 23790,
  etcdPeer: 23800,
  controllerManager: 23257,
  scheduler: 23259,
  kubelet: 10250,
  kubeletHealth: 23248,
  corednsHealth: 23080,
  chartRegistry: 23500,
} as const;

/** Where the sources of the stack lie, also when this file runs from a bundle. */
export function stackFolder(): string {
  const candidates = [import.meta.dirname, path.resolve('test/stack')];
  const found = candidates.find((folder) => existsSync(path.join(folder, 'go', 'kubernetes', 'go.mod')));
  if (found === undefined) throw new Error(`test/stack not found; looked in ${candidates.join(', ')}`);
  return found;
}

/** Folder of everything that exists only while the cluster runs; `down` deletes it. */
export function stateFolder(): string {
  const { RUNBOOK_STACK_DIR: chosen, XDG_STATE_HOME: stateHome } = process.env;
  const folder = path.resolve(
    chosen || path.join(stateHome || path.join(os.homedir(), '.local', 'state'), 'runbook-stack'),
  );
  // A Unix socket's path may have 107 bytes, and the longest one below this folder needs 40 of them.
  if (folder.length > 66)
    throw new Error(`${folder}: too long for Unix sockets below it; set RUNBOOK_STACK_DIR`);
  return folder;
}

/** A path inside the state folder. */
export function statePath(...parts: string[]): string {
  return path.join(stateFolder(), ...parts);
}

/** Release of Cassandra, and of the jars that are fetched for it. */
export const cassandraVersion = '5.0.5';

/** Folder of Cassandra's jars. */
export function cassandraFolder(): string {
  return path.join(cacheFolder(), `cassandra-${cassandraVersion}`);
}

/** Folder of the built servers: one per content of the go.mod and go.sum files. */
export function binaryFolder(): string {
  const hash = createHash('sha256');
  for (const module of goModules) {
    for (const file of ['go.mod', 'go.sum']) {
      hash.update(readFileSync(path.join(stackFolder(), 'go', module, file)));
    }
  }
  return path.join(cacheFolder(), hash.digest('hex').slice(0, 16), 'bin');
}

function cacheFolder(): string {
  const cacheHome = process.env.XDG_CACHE_HOME || path.join(os.homedir(), '.cache');
  return path.join(cacheHome, 'runbook-stack');
}

/** Folder of `helm`; keyed by its own module, so that neither makes the other be built again. */
export function helmFolder(): string {
  return moduleFolder('helm');
}

/** Folder of the NATS server, keyed by its own module, too. */
export function natsFolder(): string {
  return moduleFolder('nats');
}

/** Folder of the chart registry, likewise. */
export function registryFolder(): string {
  return moduleFolder('registry');
}

function moduleFolder(module: string): string {
  const hash = createHash('sha256');
  for (const file of ['go.mod', 'go.sum'])
    hash.update(readFileSync(path.join(stackFolder(), 'go', module, file)));
  return path.join(cacheFolder(), `${module}-${hash.digest('hex').slice(0, 16)}`);
}

/** Path of one built server. */
export function binary(name: string): string {
  return path.join(binaryFolder(), name);
}

/** Kubeconfig of the cluster's administrator, the one that tests use. */
export function adminKubeconfig(): string {
  return statePath('kubeconfig', 'admin.kubeconfig');
}

/** The API server's audit log, one JSON entry per line. */
export function auditLogFile(): string {
  return statePath('audit', 'audit.log');
}
