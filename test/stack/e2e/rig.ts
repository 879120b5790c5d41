import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { onTestFinished } from 'vitest';
import type { RunEvent } from '../../../src/engine/run/event.ts';

const cli = path.resolve(import.meta.dirname, '../../../dist/cli.js');

/** An event as the program printed it with `--output json`, and when it arrived here (milliseconds since the epoch). */
export type Seen = RunEvent & { readonly arrived: number };

export interface Finished {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly events: readonly Seen[];
}

export interface Running {
  readonly pid: number;
  /** The first event, past or future, that matches; rejects when the program ends without one. */
  event(matches: (event: Seen) => boolean): Promise<Seen>;
  signal(signal: NodeJS.Signals): void;
  readonly finished: Promise<Finished>;
}

export interface Operator {
  /** An empty folder of their own, which is also HOME and the working directory. */
  readonly folder: string;
  write(name: string, text: string): string;
  start(args: readonly string[], env?: Readonly<Record<string, string>>): Running;
  run(args: readonly string[], env?: Readonly<Record<string, string>>): Promise<Finished>;
}

/** Somebody with the built program, an empty home, nothing of our environment but PATH, and this kubeconfig. */
export function createOperator(kubeconfig: string | undefined): Operator {
  const folder = mkdtempSync(path.join(tmpdir(), 'runbook-e2e-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const environment = {
    PATH: process.env.PATH ?? '',
    HOME: folder,
    XDG_STATE_HOME: path.join(folder, 'state'),
    ...(kubeconfig === undefined ? {} : { KUBECONFIG: kubeconfig }),
  };
  const start: Operator['start'] = (args, env = {}) =>
    startProgram(args, { cwd: folder, env: { ...environment, ...env } });
  return {
    folder,
    write(name, text) {
      const file = path.join(folder, name);
      mkdirSync(path.dirname(file), { recursive: true });
      writeFileSync(file, text);
      return file;
    },
    start,
    run: (args, env) => start(args, env).finished,
  };
}

function startProgram(
  args: readonly string[],
  options: { readonly cwd: string; readonly env: Readonly<Record<string, string>> },
): Running {
  const child = spawn(process.execPath, [cli, ...args], { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
  const events: Seen[] = [];
  const waiting = new Set<() => void>();
  let stdout = '';
  let stderr = '';
  let rest = '';
  let ended = false;
  const wake = () => {
    for (const check of [...waiting]) check();
  };
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    const arrived = Date.now();
    for (const line of lines)
      if (line.startsWith('{"version":1,')) events.push({ ...(JSON.parse(line) as RunEvent), arrived });
    wake();
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const finished = new Promise<Finished>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => {
      ended = true;
      resolve({ code, signal, stdout, stderr, events });
      wake();
    });
  });
  return {
    pid: child.pid ?? 0,
    finished,
    signal: (signal) => child.kill(signal),
    event: (matches) =>
      new Promise((resolve, reject) => {
        const check = () => {
          const found = events.find(matches);
          if (found !== undefined) resolve(found);
          else if (ended) reject(new Error(`ended without that event:\n${stdout}\n${stderr}`));
          else return;
          waiting.delete(check);
        };
        waiting.add(check);
        check();
      }),
  };
}

/** A run as its journal has it. */
export async function showRun(
  operator: Operator,
  run = 'last',
): Promise<{ readonly run: string; readonly events: readonly RunEvent[] }> {
  const { stdout } = await operator.run(['show', run, '--format', 'json']);
  return JSON.parse(stdout) as { run: string; events: RunEvent[] };
}

/** Is there anything in the text that only a programmer would want to see? */
export function stackTraceIn(text: string): string | undefined {
  return /^\s+at (.*\(.*:\d+:\d+\)|file:|node:|async )|internal error|UnhandledPromise/m.exec(text)?.[0];
}
