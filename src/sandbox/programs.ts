import {
  type ChildIdentity,
  type Command,
  type CommandResult,
  ProcessError,
  type ProcessRunner,
} from '../services/process.ts';
import type { Caller } from './connection.ts';
import { echoed, seconds } from './kubelet/programs.ts';
import { type Script, scriptOf } from './kubelet/shell.ts';
import type { Machine } from './machine.ts';

interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly ms: number;
}

type Program = (words: readonly string[], stdin: string) => Partial<Ran>;

/** What the sandbox runs instead of real local programs. */
const programs: Readonly<Record<string, Program>> = {
  true: () => ({}),
  false: () => ({ code: 1 }),
  echo: (words) => ({ stdout: `${echoed(['echo', ...words])}${words[0] === '-n' ? '' : '\n'}` }),
  printf: (words) => ({ stdout: echoed(['printf', ...words]) }),
  cat: (words, stdin) =>
    words.length === 0
      ? { stdout: stdin }
      : { code: 1, stderr: `cat: ${words[0]}: No such file or directory\n` },
  sleep: (words) => ({ ms: seconds(words[0]) }),
  exit: (words) => ({ code: Number(words[0] ?? 0) & 255 }),
  seq: (words) => ({
    stdout: Array.from({ length: Number(words[0] ?? 0) }, (_, at) => `${at + 1}\n`).join(''),
  }),
};

function unknownProgram(file: string): ProcessError {
  return new ProcessError(
    `"${file}" was not started: the sandbox runs no real programs and simulates only sh, ${Object.keys(programs).join(', ')}.`,
    { outcome: 'not-applied' },
  );
}

function runScript(script: Script, stdin: string): Ran {
  let ran: Ran = { code: 0, stdout: '', stderr: '', ms: 0 };
  for (const { join, command } of script) {
    if ((join === '&&' && ran.code !== 0) || (join === '||' && ran.code === 0)) continue;
    if (command.kind === 'loop') return { ...ran, ms: Number.POSITIVE_INFINITY };
    const [file = 'true', ...words] = command.words;
    const program = programs[file.slice(file.lastIndexOf('/') + 1)];
    const result: Partial<Ran> = program?.(words, stdin) ?? { code: 127, stderr: `sh: ${file}: not found\n` };
    const out = { stdout: '', stderr: '' };
    if (typeof command.stdoutTo === 'string') out[command.stdoutTo] += result.stdout ?? '';
    if (typeof command.stderrTo === 'string') out[command.stderrTo] += result.stderr ?? '';
    ran = {
      code: result.code ?? 0,
      stdout: ran.stdout + out.stdout,
      stderr: ran.stderr + out.stderr,
      ms: ran.ms + (result.ms ?? 0),
    };
    if (file === 'exit') return ran;
  }
  return ran;
}

function tell(command: Command, ran: Ran): void {
  for (const stream of ['stdout', 'stderr'] as const)
    for (const line of ran[stream].split('\n')) if (line !== '') command.onLine?.(line, stream);
}

function killed(ran: Ran, signal: string): CommandResult {
  return { exitCode: undefined, signal, stdout: ran.stdout, stderr: ran.stderr, truncated: false };
}

/** Local programs in the sandbox: a table of simulated ones, with virtual time for those that take some. */
export function sandboxProcess(machine: Machine, caller: Caller): ProcessRunner {
  let pid = 10_000;
  const start = async (command: Command, signal: AbortSignal): Promise<CommandResult> => {
    const base = command.file.slice(command.file.lastIndexOf('/') + 1);
    if (!(base in programs) && base !== 'sh' && base !== 'bash') throw unknownProgram(command.file);
    const stdin = command.stdin === undefined ? '' : Buffer.from(command.stdin).toString('utf8');
    const ran = runScript(scriptOf([base, ...command.args]), stdin);
    machine.clock.touch();
    if (ran.ms > 0) await machine.clock.sleep(ran.ms, signal);
    tell(command, ran);
    if (signal.aborted) return killed(ran, 'SIGTERM');
    return {
      exitCode: ran.code,
      signal: undefined,
      stdout: ran.stdout,
      stderr: ran.stderr,
      truncated: false,
    };
  };
  return {
    read: start,
    run: async (command, signal, onStart) => {
      pid += 1;
      const child: ChildIdentity = {
        pid,
        startTime: Math.floor(machine.clock.monotonic()),
        bootId: 'sandbox',
      };
      await onStart?.(child);
      const result = await start(command, signal);
      const lost = machine.faults.take(caller.instance, 'answer') !== undefined;
      return lost ? { ...result, exitCode: undefined, signal: 'SIGKILL' } : result;
    },
  };
}

/** How long a real program may keep virtual time standing still; one that takes longer is taken to hang. */
const PATIENCE = 30_000;

/** Real local programs, for which virtual time waits. */
export function heldProcess(machine: Machine, runner: ProcessRunner): ProcessRunner {
  const held = async <T>(work: Promise<T>): Promise<T> => {
    const release = machine.clock.hold();
    const timer = setTimeout(release, PATIENCE);
    try {
      return await work;
    } finally {
      clearTimeout(timer);
      release();
    }
  };
  return {
    read: (command, signal) => held(runner.read(command, signal)),
    run: (command, signal, onStart) => held(runner.run(command, signal, onStart)),
  };
}
