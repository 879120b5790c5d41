import { realpathSync } from 'node:fs';
import path from 'node:path';
import { image } from '../image-names.ts';
import { statePath } from '../paths.ts';
import { hostMount } from './manifest.ts';

/** Port name → port and the paths that it answers; a port without paths merely accepts connections. */
export type Listen = Record<string, { port: number; paths?: string[] }>;

interface Double {
  name: string;
  listen: Listen;
  env?: Record<string, string>;
  probes?: Record<string, unknown>;
}

/** A container that runs the double of one service with the machine's own Node. */
export function doubleContainer({ name, listen, env = {}, probes = {} }: Double) {
  const listening = Object.values(listen).map(({ port, paths }) =>
    paths ? `${port}:${paths.join(',')}` : `${port}`,
  );
  const variables = { SERVICE_NAME: name, LISTEN: listening.join(' '), STARTUP_DELAY_MS: '0', ...env };
  return {
    name,
    image,
    imagePullPolicy: 'Never',
    command: [realpathSync(process.execPath), '/opt/doubles/service.mjs'],
    env: Object.entries(variables).map(([variable, value]) => ({ name: variable, value })),
    ports: Object.entries(listen).map(([portName, { port }]) => ({ name: portName, containerPort: port })),
    volumeMounts: nodeMounts().map(({ mount }) => mount),
    ...probes,
  };
}

/** Volumes that `doubleContainer` needs in its pod. */
export function doubleVolumes() {
  return nodeMounts().map(({ volume }) => volume);
}

/** The double's program, and the machine's Node with the libraries that it is linked to. */
function nodeMounts() {
  const program = realpathSync(process.execPath);
  const system = ['/usr', '/lib', '/lib64'].filter((folder) => existsOnMachine(folder));
  const mounts = [
    hostMount('doubles', statePath('doubles'), '/opt/doubles'),
    ...system.map((folder) => hostMount(`host${folder.replace('/', '-')}`, folder)),
  ];
  // A version manager keeps Node elsewhere.
  if (!program.startsWith('/usr/')) mounts.push(hostMount('host-node', path.dirname(path.dirname(program))));
  return mounts;
}

function existsOnMachine(folder: string): boolean {
  try {
    return realpathSync(folder) !== '';
  } catch {
    return false;
  }
}
