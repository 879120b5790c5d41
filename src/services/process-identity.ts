import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import type { ChildIdentity } from './process.ts';

/** Zombie or dead. */
const ended = /[ZXx]/u;

/** What tells this process from a later one with the same pid. Zeros where the system does not say (not Linux). */
export function identify(pid: number): ChildIdentity {
  return { pid, startTime: readStat(pid)?.startTime ?? 0, bootId: readBootId() };
}

/** Whether exactly this process still runs; a zombie does not, nor does another one that got its pid. */
export function isAlive(child: ChildIdentity): boolean {
  if (child.bootId !== readBootId()) return false;
  const stat = readStat(child.pid);
  return stat !== undefined && stat.startTime === child.startTime && !ended.test(stat.state);
}

/**
 * Whether any process of the group still runs. Those that ended but were never collected (in a container whose first
 * process collects nobody) do not count. Undefined where the system does not say (not Linux).
 */
export function isGroupAlive(group: number): boolean | undefined {
  try {
    const pids = readdirSync('/proc').filter((name) => /^\d+$/u.test(name));
    return pids.some((pid) => {
      const stat = readStat(Number(pid));
      return stat?.group === group && !ended.test(stat.state);
    });
  } catch {
    return undefined;
  }
}

/**
 * Names the processes that pids of this one are about: those of this boot in this PID namespace, 12 hex digits. A container that shares
 * a folder with its machine has pids of its own. The same everywhere where the system does not say (not Linux).
 */
export function processSpace(): string {
  return createHash('sha256').update(`${readBootId()} ${readPidNamespace()}`).digest('hex').slice(0, 12);
}

interface Stat {
  readonly state: string;
  readonly group: number;
  readonly startTime: number;
}

/** Fields 3, 5 and 22 of proc(5)'s stat; field 2 is the program's name in brackets and may hold anything. */
function readStat(pid: number): Stat | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    const startTime = Number(fields[19]);
    return Number.isFinite(startTime)
      ? { state: fields[0] ?? '', group: Number(fields[2]), startTime }
      : undefined;
  } catch {
    return undefined;
  }
}

function readBootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
  } catch {
    return '';
  }
}

function readPidNamespace(): string {
  try {
    return readlinkSync('/proc/self/ns/pid');
  } catch {
    return '';
  }
}
