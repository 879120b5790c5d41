import { realpathSync } from 'node:fs';
import path from 'node:path';
import { type DoubleProgram, doubleFile } from '../doubles.ts';
import { image } from '../image-names.ts';
import { statePath } from '../paths.ts';
import { openbaoAudience } from './logins.ts';
import { hostMount } from './manifest.ts';

/** Port name → port and the paths that it answers; a port without paths merely accepts connections. */
export type Listen = Record<string, { port: number; paths?: string[] }>;

interface Double {
  name: string;
  /** Which program it runs; one that only answers health checks, unless it is named. */
  program?: DoubleProgram;
  listen: Listen;
  env?: Record<string, string>;
  probes?: Record<string, unknown>;
}

/** A container that runs the double of one service with the machine's own Node. */
export function doubleContainer({ name, program = 'service', listen, env = {}, probes = {} }: Double) {
  const listening = Object.values(listen).map(({ port, paths }) =>
    paths ? `${port}:${paths.join(',')}` : `${port}`,
  );
  const variables = { SERVICE_NAME: name, LISTEN: listening.join(' '), STARTUP_DELAY_MS: '0', ...env };
  return {
    name,
    image,
    imagePullPolicy: 'Never',
    command: doubleCommand(program),
    env: Object.entries(variables).map(([variable, value]) => ({ name: variable, value })),
    ports: Object.entries(listen).map(([portName, { port }]) => ({ name: portName, containerPort: port })),
    volumeMounts: doubleMounts(program).map(({ mount }) => mount),
    ...probes,
  };
}

/** Volumes that `doubleContainer` needs in its pod. */
export function doubleVolumes(program: DoubleProgram = 'service') {
  return doubleMounts(program).map(({ volume }) => volume);
}

/** What starts a double. */
export function doubleCommand(program: DoubleProgram): string[] {
  return [realpathSync(process.execPath), `/opt/doubles/${doubleFile(program)}`];
}

/** Folder in which the doubles record what they acknowledged: `<program>/<pod>.jsonl`. */
export function ledgerFolder(program: DoubleProgram): string {
  return statePath('ledger', program);
}

function doubleMounts(program: DoubleProgram) {
  return program === 'service' ? nodeMounts() : [...nodeMounts(), accountToken(), ledger(program)];
}

// What the service's agent logs in to OpenBao with.
function accountToken() {
  const source = { audience: openbaoAudience, path: 'token', expirationSeconds: 86_400 };
  return {
    volume: { name: 'openbao-token', projected: { sources: [{ serviceAccountToken: source }] } },
    mount: { name: 'openbao-token', mountPath: '/var/run/secrets/openbao', readOnly: true },
  };
}

function ledger(program: DoubleProgram) {
  return {
    volume: { name: 'ledger', hostPath: { path: ledgerFolder(program), type: 'DirectoryOrCreate' } },
    mount: { name: 'ledger', mountPath: '/var/ledger' },
  };
}

/** The double's program, and the machine's Node with the libraries that it is linked to. */
export function nodeMounts() {
  const program = realpathSync(process.execPath);
  const mounts = [hostMount('doubles', statePath('doubles'), '/opt/doubles'), ...systemMounts()];
  // A version manager keeps Node elsewhere.
  if (!program.startsWith('/usr/')) mounts.push(hostMount('host-node', path.dirname(path.dirname(program))));
  return mounts;
}

/** The machine's programs and libraries, for what is not in our image. */
export function systemMounts() {
  return ['/usr', '/lib', '/lib64', '/etc/java-17-openjdk']
    .filter((folder) => existsOnMachine(folder))
    .map((folder) => hostMount(`host${folder.replaceAll('/', '-')}`, folder));
}

function existsOnMachine(folder: string): boolean {
  try {
    return realpathSync(folder) !== '';
  } catch {
    return false;
  }
}
