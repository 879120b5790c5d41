import { kinds } from '../services/kubernetes.ts';
import { ApiFailure, badRequest, notFound } from './api-error.ts';
import { find, keyOf, killContainer, type Running } from './kubelet/containers.ts';
import { fileExists } from './kubelet/probe.ts';
import { echoed, seconds } from './kubelet/programs.ts';
import type { ContainerRuntime } from './kubelet/runtime.ts';
import { type Script, type Simple, scriptOf } from './kubelet/shell.ts';
import { nodetool } from './nodetool.ts';
import type { Pod } from './objects.ts';
import { bao } from './openbao/command.ts';
import type { World } from './world.ts';

export interface ExecCall {
  readonly namespace: string;
  readonly pod: string;
  readonly container: string;
  readonly command: readonly string[];
  /** What was sent on stdin is not kept; only `cat` and its like would show it. */
  readonly stdin?: string;
}

export interface ExecOutcome {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
  /** Virtual milliseconds until it ended. */
  readonly ms: number;
  /** The container runtime could not start it: nothing ran. */
  readonly notStarted?: string;
}

interface Shell {
  readonly world: World;
  readonly running: Running;
  readonly container: ContainerRuntime;
  readonly env: Map<string, string>;
  readonly stdin: string;
  stdout: string;
  stderr: string;
  ms: number;
}

interface Result {
  readonly code: number;
  readonly out?: string;
  readonly err?: string;
  /** The shell itself ends. */
  readonly ends?: boolean;
}

type Program = (shell: Shell, words: readonly string[]) => Result;

const ok: Result = { code: 0 };
/** Milliseconds that nodetool takes to start its own Java. */
const NODETOOL = 1300;

function fail(name: string, text: string, code = 1): Result {
  return { code, err: `${name}: ${text}\n` };
}

function exists(shell: Shell, path: string): boolean {
  return fileExists(shell.running.runtime, shell.container, { path, now: shell.world.timeline.now });
}

function cat(shell: Shell, paths: readonly string[]): Result {
  if (paths.length === 0) return { code: 0, out: shell.stdin };
  const missing = paths.find((path) => !exists(shell, path));
  if (missing !== undefined) return fail('cat', `can't open '${missing}': No such file or directory`);
  return { code: 0, out: paths.map((path) => shell.running.runtime.files.get(path) ?? '').join('') };
}

function test(shell: Shell, words: readonly string[]): Result {
  const [flag = '', path = '', other] = words.filter((word) => word !== ']');
  if (flag === '!') return { code: test(shell, words.slice(1)).code === 0 ? 1 : 0 };
  if (['-f', '-e', '-r', '-s', '-d'].includes(flag)) return { code: exists(shell, path) ? 0 : 1 };
  if (flag === '-n') return { code: path === '' ? 1 : 0 };
  if (flag === '-z') return { code: path === '' ? 0 : 1 };
  return { code: path === '!=' ? (flag === other ? 1 : 0) : flag === other ? 0 : 1 };
}

/** Programs that a container has; anything else is 127, as an unknown command is. */
const programs: Readonly<Record<string, Program>> = {
  true: () => ok,
  ':': () => ok,
  false: () => ({ code: 1 }),
  echo: (_, words) => ({ code: 0, out: `${echoed(['echo', ...words])}${words[0] === '-n' ? '' : '\n'}` }),
  printf: (_, words) => ({ code: 0, out: echoed(['printf', ...words]) }),
  exit: (_, words) => ({ code: Number(words[0] ?? 0) & 255, ends: true }),
  sleep: (shell, words) => {
    shell.ms += seconds(words[0]);
    return ok;
  },
  cat,
  test,
  '[': test,
  ls: (shell, words) => {
    const paths = words.filter((word) => !word.startsWith('-'));
    const missing = paths.find((path) => path !== '/' && !exists(shell, path));
    return missing === undefined
      ? { code: 0, out: paths.map((path) => `${path}\n`).join('') }
      : fail('ls', `${missing}: No such file or directory`);
  },
  touch: (shell, words) => {
    for (const path of words) if (!exists(shell, path)) shell.running.runtime.files.set(path, '');
    return ok;
  },
  rm: (shell, words) => {
    const paths = words.filter((word) => !word.startsWith('-'));
    const missing = paths.find((path) => !shell.running.runtime.files.delete(path));
    return missing === undefined || words.some((word) => /^-\w*f/.test(word))
      ? ok
      : fail('rm', `can't remove '${missing}': No such file or directory`);
  },
  hostname: (shell) => ({ code: 0, out: `${shell.running.pod.metadata.name}\n` }),
  whoami: () => ({ code: 0, out: 'root\n' }),
  id: () => ({ code: 0, out: 'uid=0(root) gid=0(root) groups=0(root)\n' }),
  pwd: () => ({ code: 0, out: '/\n' }),
  date: (shell) => ({ code: 0, out: `${new Date(shell.world.timeline.now).toUTCString()}\n` }),
  env: (shell) => ({ code: 0, out: [...shell.env].map(([name, value]) => `${name}=${value}\n`).join('') }),
  printenv: (shell, words) => {
    const value = shell.env.get(words[0] ?? '');
    return value === undefined ? { code: 1 } : { code: 0, out: `${value}\n` };
  },
  sync: () => ok,
  bao: (shell, words) =>
    bao(shell.world, { pod: shell.running.pod, words, env: shell.env, stdin: shell.stdin }),
  vault: (shell, words) =>
    bao(shell.world, { pod: shell.running.pod, words, env: shell.env, stdin: shell.stdin }),
  nodetool: (shell, words) => {
    shell.ms += NODETOOL;
    return nodetool(shell.world, shell.running.pod, words);
  },
  kill: (shell, words) => {
    if (words.at(-1) !== '1') return fail('kill', `can't kill pid ${words.at(-1) ?? ''}: No such process`);
    const { container, running, world } = shell;
    const code = words.some((word) => /9|KILL/.test(word)) ? 137 : 143;
    world.timeline.schedule(50, () => killContainer(world, running, { container, code }));
    return ok;
  },
};

function substituted(shell: Shell, word: string, last: number): string {
  return word.replace(/\$(?:\{(\w+)\}|(\w+)|\?)/g, (text, braced?: string, plain?: string) =>
    text === '$?' ? String(last) : (shell.env.get(braced ?? plain ?? '') ?? ''),
  );
}

function send(shell: Shell, to: Simple['stdoutTo'], text: string): void {
  if (text === '' && typeof to === 'string') return;
  if (typeof to === 'object') {
    if (!to.file.startsWith('/dev/')) shell.running.runtime.files.set(to.file, text);
  } else shell[to] += text;
}

function runSimple(shell: Shell, command: Simple, last: number): Result {
  for (const [name, value] of command.assignments) shell.env.set(name, substituted(shell, value, last));
  const words = command.words.map((word) => substituted(shell, word, last));
  const [first, ...rest] =
    words[0] === 'exec' || (words[0] === 'env' && words.length > 1) ? words.slice(1) : words;
  if (first === undefined) return ok;
  const assignment = /^(\w+)=(.*)$/s.exec(first);
  if (assignment !== null)
    return runSimple(
      shell,
      { ...command, assignments: [[assignment[1] ?? '', assignment[2] ?? '']], words: rest },
      last,
    );
  const name = first.slice(first.lastIndexOf('/') + 1);
  if (name === 'sh' || name === 'bash') return runScript(shell, scriptOf([first, ...rest]));
  if (['set', 'trap', 'export', 'cd', 'umask'].includes(name)) return ok;
  const program = programs[name];
  const result =
    program === undefined ? { code: 127, err: `sh: ${first}: not found\n` } : program(shell, rest);
  send(shell, command.stdoutTo, result.out ?? '');
  send(shell, command.stderrTo, result.err ?? '');
  return result;
}

function runScript(shell: Shell, script: Script): Result {
  let last: Result = ok;
  for (const { join, command } of script) {
    if ((join === '&&' && last.code !== 0) || (join === '||' && last.code === 0)) continue;
    if (command.kind === 'loop') {
      shell.ms = Number.POSITIVE_INFINITY;
      return last;
    }
    last = runSimple(shell, command, last.code);
    if (last.ends === true) return last;
  }
  return last;
}

function containerOf(world: World, call: ExecCall): { running: Running; container: ContainerRuntime } {
  const pod = world.store.get<Pod>(kinds.pods, call.namespace, call.pod);
  if (pod === undefined) throw notFound(kinds.pods, call.pod);
  const running = find(world, keyOf(pod));
  if (!pod.spec.containers.some(({ name }) => name === call.container))
    throw badRequest(`container ${call.container} is not valid for pod ${call.pod}`);
  const container = running?.runtime.containers.find(({ name, init }) => name === call.container && !init);
  const alive =
    container?.run !== undefined && container.run.finished === undefined && container.waiting === undefined;
  if (running === undefined || container === undefined || !alive)
    throw new ApiFailure(
      500,
      'InternalError',
      `unable to upgrade connection: container not found ("${call.container}")`,
    );
  return { running, container };
}

/** Runs a command in a container: a small shell with a handful of programs. */
export function execute(world: World, call: ExecCall): ExecOutcome {
  const { running, container } = containerOf(world, call);
  const spec = running.pod.spec.containers.find(({ name }) => name === call.container);
  const env = new Map([
    ['HOSTNAME', call.pod],
    ...(spec?.env ?? []).flatMap(({ name, value }) => (value === undefined ? [] : [[name, value] as const])),
  ]);
  const shell: Shell = {
    world,
    running,
    container,
    env,
    stdin: call.stdin ?? '',
    stdout: '',
    stderr: '',
    ms: 0,
  };
  const [file = ''] = call.command;
  const base = file.slice(file.lastIndexOf('/') + 1);
  const known = base in programs || ['sh', 'bash', 'env'].includes(base);
  // The runtime starts the file itself: without a shell in between there is no exit code 127, but a failed start.
  if (!known) {
    const notStarted = `exec failed: unable to start container process: exec: "${file}": executable file not found in $PATH`;
    return { exitCode: 127, stdout: '', stderr: '', ms: 0, notStarted };
  }
  const result = runScript(shell, scriptOf(call.command));
  return { exitCode: result.code, stdout: shell.stdout, stderr: shell.stderr, ms: shell.ms };
}

/** Can a command be run without leaving a trace in the world? */
export function leavesNoTrace(command: readonly string[]): boolean {
  return !/\b(?:touch|rm|kill|step-down|seal|unseal|snapshot|clearsnapshot)\b|>/.test(command.join(' '));
}
