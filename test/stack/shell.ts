import { execFile, spawn } from 'node:child_process';
import { setTimeout as pause } from 'node:timers/promises';

/** Tells the operator what happens; standard output stays free for data. */
export function say(message: string): void {
  process.stderr.write(`${message}\n`);
}

/** Runs a program to its end and answers its standard output; a failure carries the end of its error output. */
export function run(
  file: string,
  args: readonly string[],
  options: { env?: NodeJS.ProcessEnv; input?: string } = {},
): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = execFile(
      file,
      args,
      { env: options.env ?? process.env, maxBuffer: 64 * 1024 * 1024 },
      (error, stdout, stderr) => {
        if (error === null) resolve(stdout);
        else reject(new Error(`${file} ${args.join(' ')}: ${lastLines(stderr, 10) || error.message}`));
      },
    );
    // A program may end without having read its input.
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(options.input ?? '');
  });
}

/** Runs a program whose output the operator wants to see as it comes. */
export function runVisibly(
  file: string,
  args: readonly string[],
  options: { cwd: string; env: NodeJS.ProcessEnv },
): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { ...options, stdio: ['ignore', 2, 2] });
    child.on('error', reject);
    child.on('exit', (code, signal) => {
      if (code === 0) resolve();
      else reject(new Error(`${file} ${args.join(' ')}: ended with ${signal ?? `exit code ${code}`}`));
    });
  });
}

/** The last lines of a text, for error messages. */
export function lastLines(text: string, count: number): string {
  return text.trimEnd().split('\n').slice(-count).join('\n');
}

interface Wait {
  /** What is waited for, to complete "timed out waiting for …". */
  what: string;
  seconds: number;
  everyMs?: number;
  /** Says after a timeout what was found instead. */
  explain?: () => string | Promise<string>;
}

/**
 * Polls until `check` answers something other than `undefined` or `false`.
 * An exception from `check` counts as "not yet" and is shown when the time is over.
 */
export async function waitFor<T>(check: () => Promise<T | undefined | false>, wait: Wait): Promise<T> {
  const deadline = performance.now() + wait.seconds * 1000;
  for (let last = ''; ; ) {
    try {
      const value = await check();
      if (value !== undefined && value !== false) return value;
      last = '';
    } catch (error) {
      last = error instanceof Error ? error.message : String(error);
    }
    if (performance.now() > deadline) {
      const found = [last, await wait.explain?.()].filter(Boolean).join('\n');
      throw new Error(
        `timed out after ${wait.seconds} s waiting for ${wait.what}${found ? `\n${found}` : ''}`,
      );
    }
    await pause(wait.everyMs ?? 150);
  }
}
