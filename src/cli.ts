#!/usr/bin/env node
import { realpathSync } from 'node:fs';
import { homedir, hostname, userInfo } from 'node:os';
import path from 'node:path';
import type { Environment } from './commands/command.ts';
import { type ExitCode, exitCodes } from './exit-code.ts';

declare const RUNBOOK_VERSION: string;

type Start = typeof import('./commands/start.ts');

/** Both `src/cli.ts` and `dist/cli.js` stand one folder below the package. */
function packageRoot(): string {
  return path.dirname(path.dirname(realpathSync(import.meta.filename)));
}

function osUser(): string {
  try {
    return userInfo().username;
  } catch {
    // No entry in the password database: containers with an arbitrary uid.
    return `uid ${process.getuid?.() ?? 'unknown'}`;
  }
}

function environment({ createRedactor, createStreams, secretEnvironment }: Start): Environment {
  const redactor = createRedactor();
  const { env } = process;
  const takeEnv = secretEnvironment(env);
  const stderrIsTty = process.stderr.isTTY === true;
  const streams = createStreams({
    stdout: process.stdout,
    stderr: process.stderr,
    redact: (text) => redactor.text(text),
    color: stderrIsTty && (env.NO_COLOR ?? '') === '' && env.TERM !== 'dumb',
  });
  return {
    env: { ...env },
    cwd: process.cwd(),
    home: homedir(),
    osUser: osUser(),
    uid: process.geteuid?.() ?? -1,
    host: hostname(),
    pid: process.pid,
    packageRoot: packageRoot(),
    version: RUNBOOK_VERSION,
    streams,
    stdoutIsTty: process.stdout.isTTY === true,
    stderrIsTty,
    // Making that stream takes longer than all else here, and few commands ask.
    get stdinIsTty() {
      return process.stdin.isTTY === true;
    },
    redact: redactor,
    onSignal(handler) {
      const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
      for (const signal of signals) process.on(signal, handler);
      return () => {
        for (const signal of signals) process.off(signal, handler);
      };
    },
    kill(pid, signal) {
      try {
        return process.kill(pid, signal);
      } catch {
        return false;
      }
    },
    die() {
      process.kill(process.pid, 'SIGKILL');
      // SIGKILL is delivered before the next instruction of user code; this only satisfies the type.
      throw new Error('killed');
    },
    takeEnv,
  };
}

async function main(argv: readonly string[]): Promise<ExitCode> {
  if (argv[0] === '--version' || argv[0] === '-V') {
    process.stdout.write(`${RUNBOOK_VERSION}\n`);
    return exitCodes.done;
  }
  const start = await import('./commands/start.ts');
  return start.runCommandLine(argv, environment(start));
}

/** Exit only after the streams took everything; a closed pipe counts as taken. */
function flush(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => {
    if (stream.destroyed || stream.writableEnded) resolve();
    else stream.write('', () => resolve());
  });
}

for (const stream of [process.stdout, process.stderr]) {
  // A closed pipe (`| head -1`) must not end a run; the writers notice by themselves.
  stream.on('error', () => stream.destroy());
}

async function run(): Promise<never> {
  const code = await main(process.argv.slice(2));
  await Promise.all([flush(process.stdout), flush(process.stderr)]);
  process.exit(code);
}

// Stays when nothing is left to wait for, and the command has not answered all the same: that is no success.
process.exitCode = exitCodes.internal;
void run();
