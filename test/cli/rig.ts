import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { onTestFinished } from 'vitest';

const root = path.dirname(path.dirname(import.meta.dirname));
/** `RUNBOOK_CLI` names another build of it, for instance an installed one. */
export const cli = process.env.RUNBOOK_CLI ?? path.join(root, 'dist', 'cli.js');

export interface Finished {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Running {
  readonly pid: number;
  /** Everything written to stderr so far contains the text; rejects when the program ends first. */
  shows(text: string): Promise<void>;
  signal(signal: NodeJS.Signals): void;
  closeStdout(): void;
  readonly finished: Promise<Finished>;
}

export interface Rig {
  /** An empty folder of its own, which is also HOME and the working directory. */
  readonly folder: string;
  write(name: string, text: string): string;
  /** A script of bash in which `runbook` is the program. */
  shell(script: string, env?: Readonly<Record<string, string>>): Promise<Finished>;
  start(
    args: readonly string[],
    options?: { readonly env?: Readonly<Record<string, string>>; readonly stdin?: string },
  ): Running;
  run(
    args: readonly string[],
    options?: { readonly env?: Readonly<Record<string, string>>; readonly stdin?: string },
  ): Promise<Finished>;
}

/** What is to be done when a test is over. One of several tests at a time has its own. */
export type AtTheEnd = (cleanUp: () => void) => void;

/** The built program in an empty home, with no kubeconfig and no environment but PATH. */
export function createRig(done: AtTheEnd = onTestFinished): Rig {
  const folder = mkdtempSync(path.join(tmpdir(), 'runbook-rig-'));
  done(() => rmSync(folder, { recursive: true, force: true }));
  const launch = (
    command: readonly [string, ...string[]],
    options: { readonly env?: Readonly<Record<string, string>>; readonly stdin?: string } = {},
  ): Running => {
    const child = spawn(command[0], command.slice(1), {
      cwd: folder,
      env: {
        PATH: process.env.PATH ?? '',
        HOME: folder,
        XDG_STATE_HOME: path.join(folder, 'state'),
        ...options.env,
      },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    child.stdin.on('error', () => undefined);
    child.stdin.end(options.stdin ?? '');
    let stdout = '';
    let stderr = '';
    const watchers = new Set<() => void>();
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
      for (const watcher of watchers) watcher();
    });
    const finished = new Promise<Finished>((resolve, reject) => {
      child.on('error', reject);
      child.on('close', (code, signal) => {
        resolve({ code, signal, stdout, stderr });
        for (const watcher of watchers) watcher();
      });
    });
    return {
      pid: child.pid ?? 0,
      finished,
      signal: (signal) => child.kill(signal),
      closeStdout: () => child.stdout.destroy(),
      shows: (text) =>
        new Promise((resolve, reject) => {
          const check = () => {
            if (stderr.includes(text)) resolve();
            else if (child.exitCode !== null || child.signalCode !== null)
              reject(new Error(`ended without showing '${text}':\n${stderr}`));
            else return;
            watchers.delete(check);
          };
          watchers.add(check);
          check();
        }),
    };
  };
  const start: Rig['start'] = (args, options) => launch([process.execPath, cli, ...args], options);
  return {
    folder,
    shell: (script, env) =>
      launch(['bash', '-c', `runbook() { "$NODE" "$CLI" "$@"; }\n${script}`], {
        env: { ...env, NODE: process.execPath, CLI: cli },
      }).finished,
    write(name, text) {
      const file = path.join(folder, name);
      mkdirSync(path.dirname(file), { recursive: true });
      writeFileSync(file, text);
      return file;
    },
    start,
    run: (args, options) => start(args, options).finished,
  };
}
