import { spawn } from 'node:child_process';
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { statePath } from './paths.ts';
import { lastLines, waitFor } from './shell.ts';

/** One server of the cluster: how it is started, and how one sees that it works. */
export interface Server {
  name: string;
  file: string;
  args: string[];
  env?: Record<string, string>;
  /** Answers true once the server does its work. */
  healthy: () => Promise<boolean>;
  /** How long it may take from start to healthy. */
  seconds: number;
}

interface ProcessRecord {
  pid: number;
  /** Field 22 of /proc/<pid>/stat: together with the boot id it tells this process from a later one with its number. */
  startTime: string;
  bootId: string;
}

/** Start time of a process in clock ticks since boot; undefined if there is no such process, or only its corpse. */
export function startTimeOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The program's name, in parentheses, may itself contain spaces and parentheses.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' ? undefined : fields[19];
  } catch {
    return undefined;
  }
}

/** Identity of this boot of the machine. */
export function bootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
}

/** Log file of one server. */
export function logFile(name: string): string {
  return statePath('logs', `${name}.log`);
}

/** The pid of a server that we started and that still runs. */
export function runningPid(name: string): number | undefined {
  const record = readRecord(name);
  if (record === undefined || record.bootId !== bootId()) return undefined;
  return startTimeOf(record.pid) === record.startTime ? record.pid : undefined;
}

/** Starts a server unless it runs already, and waits until it is healthy. */
export async function ensureServer(server: Server): Promise<void> {
  if (runningPid(server.name) !== undefined) {
    try {
      return await waitUntilHealthy(server, 15);
    } catch {
      await stopServer(server.name);
    }
  }
  startServer(server);
  await waitUntilHealthy(server, server.seconds);
}

async function waitUntilHealthy(server: Server, seconds: number): Promise<void> {
  let gone = false;
  const explain = () => `last lines of ${logFile(server.name)}:\n${lastLogLines(server.name)}`;
  await waitFor(
    async () => {
      gone = runningPid(server.name) === undefined;
      return gone || (await server.healthy());
    },
    { what: `${server.name} to become healthy`, seconds, everyMs: 100, explain },
  );
  if (gone) throw new Error(`${server.name} ended right after its start; ${explain()}`);
}

function startServer(server: Server): void {
  mkdirSync(statePath('logs'), { recursive: true });
  mkdirSync(statePath('processes'), { recursive: true });
  const log = openSync(logFile(server.name), 'a', 0o600);
  try {
    const child = spawn(server.file, server.args, {
      detached: true,
      stdio: ['ignore', log, log],
      cwd: statePath(),
      env: { PATH: process.env.PATH, HOME: statePath(), ...server.env },
    });
    child.on('error', (error) => writeFileSync(logFile(server.name), `${error.message}\n`, { flag: 'a' }));
    child.unref();
    if (child.pid === undefined) return;
    const record: ProcessRecord = {
      pid: child.pid,
      startTime: startTimeOf(child.pid) ?? '',
      bootId: bootId(),
    };
    const file = recordFile(server.name);
    writeFileSync(`${file}.new`, JSON.stringify(record));
    renameSync(`${file}.new`, file);
  } finally {
    closeSync(log);
  }
}

/** Ends one server that we started; politely first. */
export async function stopServer(name: string, politeSeconds = 10): Promise<void> {
  const deadline = performance.now() + politeSeconds * 1000;
  signal(name, 'SIGTERM');
  while (runningPid(name) !== undefined && performance.now() < deadline) await pause(30);
  signal(name, 'SIGKILL');
  await waitFor(async () => runningPid(name) === undefined, {
    what: `${name} to end`,
    seconds: 10,
    everyMs: 30,
  });
  rmSync(recordFile(name), { force: true });
}

/** Names of all servers with a record, running or not. */
export function recordedServers(): string[] {
  if (!existsSync(statePath('processes'))) return [];
  return readdirSync(statePath('processes'))
    .filter((name) => name.endsWith('.json'))
    .map((name) => name.slice(0, -5));
}

/** The end of one server's log. */
export function lastLogLines(name: string, count = 15): string {
  return existsSync(logFile(name)) ? lastLines(readFileSync(logFile(name), 'utf8'), count) : '(no log)';
}

function signal(name: string, signalName: NodeJS.Signals): void {
  const pid = runningPid(name);
  if (pid === undefined) return;
  try {
    process.kill(pid, signalName);
  } catch {
    // It ended between the look and the signal.
  }
}

function readRecord(name: string): ProcessRecord | undefined {
  if (!existsSync(recordFile(name))) return undefined;
  return JSON.parse(readFileSync(recordFile(name), 'utf8')) as ProcessRecord;
}

function recordFile(name: string): string {
  return statePath('processes', `${name}.json`);
}
