import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { cgroupProcesses, cgroupsExist, removeCgroups } from './cgroups.ts';
import { containerdSocket } from './containerd.ts';
import { removeNetwork } from './network.ts';
import { stateFolder, statePath } from './paths.ts';
import { recordedServers, stopServer } from './processes.ts';
import { run, waitFor } from './shell.ts';

/** Folders outside the state folder that kubelet, containerd and runc insist on. */
const foreignFolders = [
  '/var/lib/kubelet',
  '/var/lib/cni',
  '/var/log/containers',
  '/var/log/pods',
  '/run/containerd',
  '/run/runc',
  '/opt/containerd',
];

/** Kernel settings that a kubelet changes for the whole machine. */
const kernelSettings = [
  'vm/overcommit_memory',
  'vm/panic_on_oom',
  'kernel/panic',
  'kernel/panic_on_oops',
  'kernel/keys/root_maxkeys',
  'kernel/keys/root_maxbytes',
  'net/ipv4/ip_forward',
  'net/ipv4/conf/all/route_localnet',
];

interface Before {
  folders: string[];
  settings: Record<string, string>;
}

/** Records, before anything starts, what the machine looks like, so that `down` can restore it. */
export function recordMachine(): void {
  const file = statePath('machine-before.json');
  if (existsSync(file)) return;
  mkdirSync(stateFolder(), { recursive: true, mode: 0o700 });
  const before: Before = {
    folders: foreignFolders.filter((folder) => existsSync(folder)),
    settings: Object.fromEntries(
      kernelSettings.flatMap((name) => {
        const value = readSetting(name);
        return value === undefined ? [] : [[name, value]];
      }),
    ),
  };
  writeFileSync(file, JSON.stringify(before));
}

/** Ends everything that the stack started, also after a crash, and removes every trace but the built programs. */
export async function tearDown(): Promise<void> {
  // Who would restart a container goes first.
  await stopAll(['kubelet', 'kube-controller-manager', 'kube-scheduler']);
  await endContainers();
  await stopAll(recordedServers());
  await endContainers();
  await unmountAll();
  await removeNetwork();
  removeTraces();
}

async function stopAll(names: string[]): Promise<void> {
  await Promise.all(names.map((name) => stopServer(name, 3)));
}

async function endContainers(): Promise<void> {
  await waitFor(
    async () => {
      // A dead container lets its shim go on its own; a shim that outlives that has lost its containerd.
      for (const pid of [...cgroupProcesses(), ...ourShims()]) kill(pid);
      removeCgroups();
      return !cgroupsExist() && ourShims().length === 0;
    },
    { what: 'all containers to end', seconds: 60, everyMs: 100 },
  );
}

function ourShims(): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
        return (
          path.basename(words[0] ?? '').startsWith('containerd-shim') && words.includes(containerdSocket())
        );
      } catch {
        return false;
      }
    });
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended by itself.
  }
}

async function unmountAll(): Promise<void> {
  await waitFor(
    async () => {
      for (const mountPoint of ourMounts().reverse())
        await run('umount', ['--lazy', mountPoint]).catch(() => '');
      return ourMounts().length === 0;
    },
    {
      what: `everything below ${stateFolder()} to be unmounted`,
      seconds: 30,
      explain: () => ourMounts().join('\n'),
    },
  );
}

function ourMounts(): string[] {
  return readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .map((line) => (line.split(' ')[4] ?? '').replaceAll('\\040', ' '))
    .filter((mountPoint) => mountPoint.startsWith(`${stateFolder()}${path.sep}`));
}

function removeTraces(): void {
  const file = statePath('machine-before.json');
  if (existsSync(file)) {
    const before = JSON.parse(readFileSync(file, 'utf8')) as Before;
    for (const [name, value] of Object.entries(before.settings)) {
      if (readSetting(name) !== value) writeFileSync(`/proc/sys/${name}`, value);
    }
    for (const folder of foreignFolders) {
      if (!before.folders.includes(folder)) rmSync(folder, { recursive: true, force: true });
    }
    if (before.folders.includes('/var/log/containers')) removeOurLinks('/var/log/containers');
    removeOurNetworkCache('/var/lib/cni/results');
  }
  rmSync(stateFolder(), { recursive: true, force: true });
}

function removeOurLinks(folder: string): void {
  for (const name of readdirSync(folder)) {
    const link = path.join(folder, name);
    if (readlinkOr(link).startsWith(stateFolder())) rmSync(link);
  }
}

function removeOurNetworkCache(folder: string): void {
  if (!existsSync(folder) || !statSync(folder).isDirectory()) return;
  for (const name of readdirSync(folder)) {
    if (name.startsWith('runbook-stack-')) rmSync(path.join(folder, name));
  }
}

function readlinkOr(link: string): string {
  try {
    return readlinkSync(link);
  } catch {
    return '';
  }
}

function readSetting(name: string): string | undefined {
  return existsSync(`/proc/sys/${name}`) ? readFileSync(`/proc/sys/${name}`, 'utf8').trim() : undefined;
}
