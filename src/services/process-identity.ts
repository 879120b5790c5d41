import { readFileSync } from 'node:fs';
import type { ChildIdentity } from './process.ts';

/** What tells this process from a later one with the same pid. Zeros where the system does not say (not Linux). */
export function identify(pid: number): ChildIdentity {
  return { pid, startTime: readStat(pid)?.startTime ?? 0, bootId: readBootId() };
}

/** Whether exactly this process still runs; a zombie does not, nor does another one that got its pid. */
export function isAlive(child: ChildIdentity): boolean {
  if (child.bootId !== readBootId()) return false;
  const stat = readStat(child.pid);
  return stat !== undefined && stat.startTime === child.startTime && !/[ZXx]/u.test(stat.state);
}

/** Fields 3 and 22 of proc(5)'s stat; field 2 is the program's name in brackets and may hold anything. */
function readStat(pid: number): { readonly state: string; readonly startTime: number } | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    const startTime = Number(fields[19]);
    return Number.isFinite(startTime) ? { state: fields[0] ?? '', startTime } : undefined;
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
