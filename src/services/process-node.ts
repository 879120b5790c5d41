import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { CappedOutput } from './capped-output.ts';
import {
  type ChildIdentity,
  type Command,
  type CommandResult,
  ProcessError,
  type ProcessRunner,
  type SendSignal,
} from './process.ts';
import { identify, isGroupAlive } from './process-identity.ts';
import { createLineReader } from './process-lines.ts';

export interface ProcessOptions {
  /** The whole environment of this process; children get the allow-listed part of it. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly kill: SendSignal;
  /** Milliseconds between SIGTERM and SIGKILL. */
  readonly termination?: number;
}

const outputLimit = 1024 * 1024;
/** Linux's limit for one argument (MAX_ARG_STRLEN). */
const longestArgument = 128 * 1024;
const pipeGrace = 1_000;
/** A group has no event for its end. */
const pollEvery = 50;

const inherited =
  /^(?:PATH|HOME|USER|LOGNAME|LANG|LC_[A-Z]+|TZ|TMPDIR|SSL_CERT_(?:FILE|DIR)|XDG_[A-Z_]+|https?_proxy|no_proxy|all_proxy|HTTPS?_PROXY|NO_PROXY|ALL_PROXY)$/u;

/** Local programs without a shell, each the leader of a process group of its own. */
export function createProcessRunner(options: ProcessOptions): ProcessRunner {
  const base: Record<string, string> = {};
  for (const [name, value] of Object.entries(options.environment)) {
    if (value !== undefined && inherited.test(name)) base[name] = value;
  }
  const termination = options.termination ?? 5_000;
  const run: ProcessRunner['run'] = (command, signal, onStart) =>
    runCommand({
      command,
      signal,
      onStart,
      environment: { ...base, ...command.env },
      kill: options.kill,
      termination,
    });
  return { run, read: (command, signal) => run(command, signal) };
}

interface Run {
  readonly command: Command;
  readonly signal: AbortSignal;
  readonly onStart: ((child: ChildIdentity) => Promise<void>) | undefined;
  readonly environment: Readonly<Record<string, string>>;
  readonly kill: SendSignal;
  readonly termination: number;
}

async function runCommand(run: Run): Promise<CommandResult> {
  const { command, signal } = run;
  check(run);
  if (signal.aborted) {
    throw new ProcessError(`"${command.file}" was not started: it was cancelled before.`, {
      outcome: 'not-applied',
    });
  }
  const { child, failure } = start(run);
  const { pid } = child;
  if (pid === undefined) throw notStarted(command, await failure);
  const group = processGroup(pid, run);
  const stdout = collect(child.stdout, command, 'stdout');
  const stderr = collect(child.stderr, command, 'stderr');
  const exited = new Promise<Ending>((resolve) => {
    child.once('exit', (code, name) => resolve({ exitCode: code ?? undefined, signal: name ?? undefined }));
  });
  const stop = () => group.end();
  try {
    // Read at once: an ended child still has its entry until the event loop turns.
    const started = run.onStart?.(identify(pid));
    signal.addEventListener('abort', stop, { once: true });
    if (started !== undefined) await started;
    if (command.stdin !== undefined) feed(child.stdin, command.stdin);
    const ending = await exited;
    await closed([stdout.ended, stderr.ended]);
    return { ...ending, ...texts(stdout, stderr) };
  } catch (cause) {
    group.end();
    await exited;
    throw cause;
  } finally {
    signal.removeEventListener('abort', stop);
    await group.ended();
    stdout.close();
    stderr.close();
  }
}

/** The pipes' ends, or a second: something the program left behind may hold them for ever. */
function closed(ends: readonly Promise<void>[]): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, pipeGrace);
    Promise.all(ends).then(() => {
      clearTimeout(timer);
      resolve();
    });
  });
}

interface Ending {
  readonly exitCode: number | undefined;
  readonly signal: string | undefined;
}

function check({ command, environment }: Run): void {
  const refuse = (why: string) => {
    throw new ProcessError(`"${command.file}" was not started: ${why}.`, { outcome: 'not-applied' });
  };
  if (command.file.trim() === '') refuse('the program is empty');
  for (const [index, argument] of command.args.entries()) {
    if (typeof argument !== 'string') refuse(`argument ${index + 1} is no text`);
    if (argument.includes('\0')) refuse(`argument ${index + 1} holds a NUL character`);
    if (Buffer.byteLength(argument) >= longestArgument)
      refuse(`argument ${index + 1} is longer than 128 KiB`);
  }
  for (const [name, value] of Object.entries(environment)) {
    if (name === '' || name.includes('=') || `${name}${value}`.includes('\0')) {
      refuse(`the environment variable ${JSON.stringify(name)} cannot be set`);
    }
  }
}

interface Started {
  readonly child: ChildProcess;
  /** The system's code for why it did not start. */
  readonly failure: Promise<string>;
}

function start({ command, environment }: Run): Started {
  try {
    const child = spawn(command.file, [...command.args], {
      detached: true,
      env: { ...environment },
      stdio: [command.stdin === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
      ...(command.cwd === undefined ? {} : { cwd: command.cwd }),
    });
    const failure = new Promise<string>((resolve) => {
      child.on('error', (cause) => resolve(codeOf(cause)));
    });
    return { child, failure };
  } catch (cause) {
    throw notStarted(command, codeOf(cause));
  }
}

function codeOf(cause: unknown): string {
  return cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown cause';
}

/** Node's own error quotes the arguments, so it is not passed on. */
function notStarted(command: Command, code: string): ProcessError {
  const causes: Readonly<Record<string, string>> = {
    ENOENT: command.file.includes('/')
      ? 'it does not exist. — Check the path'
      : 'it is not in PATH. — Install it, or write its full path',
    EACCES: 'it is not executable. — Check its permissions',
    E2BIG: 'arguments and environment are too long. — Pass data on stdin or in a file',
  };
  const missingFolder = command.cwd !== undefined && !existsSync(command.cwd);
  const why = missingFolder
    ? `its working directory ${command.cwd} does not exist. — Create it, or name another`
    : (causes[code] ?? `${code}. — Try it by hand`);
  return new ProcessError(`"${command.file}" was not started: ${why}.`, { outcome: 'not-applied' });
}

interface Collected {
  readonly output: CappedOutput;
  readonly ended: Promise<void>;
  readonly close: () => void;
}

/** Reads on past the limit, so that the child never blocks or dies of its own output. */
function collect(stream: Readable | null, command: Command, name: 'stdout' | 'stderr'): Collected {
  const output = new CappedOutput(command.outputLimit ?? outputLimit);
  if (stream === null) return { output, ended: Promise.resolve(), close: () => undefined };
  const { onLine } = command;
  const lines = onLine === undefined ? undefined : createLineReader((line) => onLine(line, name));
  stream.on('data', (chunk: Buffer) => {
    output.push(chunk);
    lines?.push(chunk);
  });
  let finished = false;
  const finish = () => {
    if (!finished) lines?.end();
    finished = true;
  };
  const ended = new Promise<void>((resolve) => {
    stream.once('close', resolve);
    stream.once('error', () => resolve());
  }).then(finish);
  const close = () => {
    finish();
    stream.destroy();
  };
  return { output, ended, close };
}

function texts(stdout: Collected, stderr: Collected) {
  return {
    stdout: stdout.output.text(),
    stderr: stderr.output.text(),
    truncated: stdout.output.truncated || stderr.output.truncated,
  };
}

function feed(stdin: NodeJS.WritableStream | null, bytes: Uint8Array): void {
  // A program may end without reading all of its input; its exit code tells how it went.
  stdin?.on('error', () => undefined);
  stdin?.end(bytes);
}

function processGroup(leader: number, { kill, termination }: Run) {
  let ending: Promise<void> | undefined;
  const send = (signal: 'SIGTERM' | 'SIGKILL' | 0) => kill(-leader, signal);
  const isAlive = () => send(0) && (isGroupAlive(leader) ?? true);
  const waitGone = async (limit: number) => {
    for (let waited = 0; waited < limit && isAlive(); waited += pollEvery) await grace(pollEvery);
  };
  const end = async () => {
    send('SIGTERM');
    await waitGone(termination);
    if (isAlive() && send('SIGKILL')) await waitGone(1_000);
  };
  return {
    /** SIGTERM to all, SIGKILL to those who stay. */
    end: () => {
      ending ??= end();
    },
    ended: () => ending ?? Promise.resolve(),
  };
}

function grace(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}
