import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';

/** All containers live below this control group, which tells their processes from everyone else's. */
export const cgroupName = 'runbook-stack';

/** Makes our control group in every hierarchy. */
export function ensureCgroups(): void {
  for (const { mountPoint, unified } of hierarchies()) {
    if (unified && hierarchies().length === 1) delegateControllers(mountPoint);
    mkdirSync(path.join(mountPoint, cgroupName), { recursive: true });
    if (unified && hierarchies().length === 1) delegateControllers(path.join(mountPoint, cgroupName));
  }
}

/** Every process inside our control group, in whatever container. */
export function cgroupProcesses(): number[] {
  const found = new Set<number>();
  for (const group of ourGroups()) {
    try {
      for (const line of readFileSync(path.join(group, 'cgroup.procs'), 'utf8').split('\n')) {
        if (line !== '' && line !== '0') found.add(Number(line));
      }
    } catch {
      // The group was removed between listing and reading.
    }
  }
  return [...found];
}

/** Removes our control groups; they must be empty of processes. */
export function removeCgroups(): void {
  for (const group of ourGroups()) {
    try {
      rmdirSync(group);
    } catch {
      // Not empty yet, or gone: the caller looks again.
    }
  }
}

/** Is anything of our control group left? */
export function cgroupsExist(): boolean {
  return ourGroups().length > 0;
}

/** Deepest groups first. */
function ourGroups(): string[] {
  return hierarchies().flatMap(({ mountPoint }) => below(path.join(mountPoint, cgroupName)));
}

function below(folder: string): string[] {
  try {
    const children = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory());
    return [...children.flatMap(({ name }) => below(path.join(folder, name))), folder];
  } catch {
    return [];
  }
}

function hierarchies(): { mountPoint: string; unified: boolean }[] {
  return readFileSync('/proc/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' '))
    .filter(([, , type]) => type === 'cgroup' || type === 'cgroup2')
    .map(([, mountPoint = '', type]) => ({ mountPoint, unified: type === 'cgroup2' }))
    .filter(({ mountPoint }) => existsSync(mountPoint) && statSync(mountPoint).isDirectory());
}

function delegateControllers(folder: string): void {
  const controllers = readFileSync(path.join(folder, 'cgroup.controllers'), 'utf8').trim().split(' ');
  for (const controller of controllers.filter(Boolean)) {
    try {
      writeFileSync(path.join(folder, 'cgroup.subtree_control'), `+${controller}`);
    } catch {
      // Some controllers cannot be delegated everywhere; the kubelet names the ones it misses.
    }
  }
}
