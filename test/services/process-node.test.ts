import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ChildIdentity, type Command, ProcessError } from '../../src/services/process.ts';
import { isAlive } from '../../src/services/process-identity.ts';
import { createProcessRunner } from '../../src/services/process-node.ts';
import { sendSignal } from '../fakes/send-signal.ts';

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'runbook-process-'));
});

afterAll(() => rm(folder, { recursive: true }));

const runner = createProcessRunner({ kill: sendSignal, environment: process.env, termination: 300 });
const never = () => new AbortController().signal;
const shell = (script: string, more: Partial<Command> = {}): Command => ({
  file: 'sh',
  args: ['-c', script],
  ...more,
});

async function failureOf(call: Promise<unknown>): Promise<ProcessError> {
  const failure = await call.then(
    () => undefined,
    (cause: unknown) => cause,
  );
  if (failure instanceof ProcessError) return failure;
  throw new Error(`expected a failure, got ${String(failure)}`);
}

describe('a program', () => {
  test('answers with exit code, stdout and stderr', async () => {
    expect(await runner.read(shell('echo out; echo err >&2; exit 3'), never())).toEqual({
      exitCode: 3,
      signal: undefined,
      stdout: 'out\n',
      stderr: 'err\n',
      truncated: false,
    });
  });

  test('gets its arguments as they are: no shell reads them', async () => {
    const args = ['$HOME', '*', 'a b', '', "'quote'", '; exit 1', 'ü'];
    const { stdout } = await runner.read({ file: 'printf', args: ['<%s>', ...args] }, never());
    expect(stdout).toBe(args.map((argument) => `<${argument}>`).join(''));
  });

  test('gets stdin to its end, and none when none is given', async () => {
    expect(await runner.read({ file: 'cat', args: [], stdin: Buffer.from('fed') }, never())).toMatchObject({
      stdout: 'fed',
    });
    expect(await runner.read({ file: 'cat', args: [] }, never())).toMatchObject({ exitCode: 0, stdout: '' });
  });

  test('may leave its stdin unread', async () => {
    const stdin = Buffer.alloc(4 * 1024 * 1024);
    expect(await runner.read({ file: 'true', args: [], stdin }, never())).toMatchObject({ exitCode: 0 });
  });

  test('gets the allow-listed environment and what is added, nothing else', async () => {
    const own = createProcessRunner({
      kill: sendSignal,
      environment: {
        PATH: process.env.PATH,
        HOME: '/home/me',
        LC_ALL: 'C',
        HTTPS_PROXY: 'http://proxy',
        RUNBOOK_SECRET_TOKEN: 'hunter2',
        BAO_TOKEN: 'hunter2',
        AWS_SECRET_ACCESS_KEY: 'hunter2',
        NODE_OPTIONS: '--inspect',
      },
    });
    const { stdout } = await own.read({ file: 'env', args: [], env: { ADDED: 'yes' } }, never());
    expect(stdout.trim().split('\n').sort()).toEqual([
      'ADDED=yes',
      'HOME=/home/me',
      'HTTPS_PROXY=http://proxy',
      'LC_ALL=C',
      `PATH=${process.env.PATH}`,
    ]);
  });

  test('runs where it is told', async () => {
    expect((await runner.read({ file: 'pwd', args: [], cwd: folder }, never())).stdout.trim()).toBe(folder);
  });

  test('ended by a signal has no exit code', async () => {
    expect(await runner.read(shell('kill -9 $$'), never())).toMatchObject({
      exitCode: undefined,
      signal: 'SIGKILL',
    });
  });

  test('is a group leader of its own, so that Ctrl-C does not reach it', async () => {
    const { stdout } = await runner.read(shell('cut -d" " -f5 /proc/$$/stat; echo $$'), never());
    const [group, pid] = stdout.trim().split('\n');
    expect(group).toBe(pid);
  });
});

describe('output', () => {
  test('over the limit is cut in the middle and does not end the program', async () => {
    const script = 'echo first; head -c 3000000 /dev/zero | tr "\\0" x; echo; echo last; exit 5';
    const result = await runner.read(shell(script), never());
    expect(result).toMatchObject({ exitCode: 5, truncated: true });
    expect(result.stdout.startsWith('first\nxxx')).toBe(true);
    expect(result.stdout.endsWith('xxx\nlast\n')).toBe(true);
    expect(result.stdout).toMatch(/… \d+ bytes left out …/u);
    expect(result.stdout.length).toBeLessThan(1_100_000);
  });

  test('comes line by line, with the stream it came from, and the last one without its end', async () => {
    const lines: string[] = [];
    const onLine = (line: string, stream: string) => lines.push(`${stream} ${line}`);
    await runner.read(shell('echo a; echo b; printf c'), never());
    await runner.read({ ...shell('printf "one\\r\\ntwo\\n\\nthree"; echo bad >&2'), onLine }, never());
    expect(lines.filter((line) => line.startsWith('stdout'))).toEqual([
      'stdout one',
      'stdout two',
      'stdout ',
      'stdout three',
    ]);
    expect(lines).toContain('stderr bad');
  });

  test('held open by something left behind does not hold the answer', async () => {
    const started = performance.now();
    const result = await runner.read(shell('sleep 30 & echo $!; exit 0'), never());
    expect(performance.now() - started).toBeLessThan(10_000);
    expect(result.exitCode).toBe(0);
    process.kill(Number(result.stdout.trim()));
  });
});

describe('what cannot be started', () => {
  test.each([
    ['a missing program', { file: 'no-such-program', args: ['hunter2'] }, 'not in PATH'],
    ['a missing path', { file: '/no/such/program', args: ['hunter2'] }, 'does not exist'],
    ['a folder', { file: '/', args: ['hunter2'] }, 'not executable'],
    ['a missing working directory', { file: 'true', args: ['hunter2'], cwd: '/no/such' }, '/no/such'],
    ['NUL in an argument', { file: 'true', args: ['hunter2\0'] }, 'argument 1 holds a NUL'],
    ['a huge argument', { file: 'true', args: ['x'.repeat(200_000)] }, 'longer than 128 KiB'],
    ['too many arguments', { file: 'true', args: Array(100).fill('x'.repeat(100_000)) }, 'too long'],
    ['an empty program', { file: ' ', args: ['hunter2'] }, 'empty'],
    ['a bad variable', { file: 'true', args: [], env: { 'A=B': 'hunter2' } }, 'A=B'],
  ])('%s is told, not applied, without its arguments', async (_, command, words) => {
    const failure = await failureOf(runner.run(command, never()));
    expect(failure.outcome).toBe('not-applied');
    expect(failure.message).toContain(words);
    expect(failure.message).not.toContain('hunter2');
  });

  test('an aborted signal starts nothing', async () => {
    const mark = path.join(folder, 'never');
    expect(await failureOf(runner.run({ file: 'touch', args: [mark] }, AbortSignal.abort()))).toMatchObject({
      outcome: 'not-applied',
    });
    await expect(readFile(mark)).rejects.toThrow('ENOENT');
  });
});

describe('stopping', () => {
  const started = (line: string) => line === 'ready';

  async function stopOnceReady(script: string) {
    const stop = new AbortController();
    const lines: string[] = [];
    const onLine = (line: string) => {
      lines.push(line);
      if (started(line)) stop.abort();
    };
    const result = await runner.read(shell(script, { onLine }), stop.signal);
    return { result, lines };
  }

  test('ends the program with SIGTERM first', async () => {
    const { result, lines } = await stopOnceReady(
      'trap "echo bye; exit 9" TERM; echo ready; while true; do sleep 0.05; done',
    );
    expect(result.exitCode).toBe(9);
    expect(lines).toContain('bye');
  });

  test('ends one that ignores it with SIGKILL', async () => {
    const { result } = await stopOnceReady('trap "" TERM; echo ready; while true; do sleep 0.05; done');
    expect(result).toMatchObject({ exitCode: undefined, signal: 'SIGKILL' });
  });

  test('ends its children, too', async () => {
    const { lines } = await stopOnceReady('(trap "" TERM; exec sleep 60) & echo $!; echo ready; wait');
    const child = Number(lines[0]);
    expect(child).toBeGreaterThan(1);
    expect(await isRunning(child)).toBe(false);
  });

  /** A zombie has ended; whether it was collected is up to the first process of this machine. */
  async function isRunning(pid: number): Promise<boolean> {
    const stat = await readFile(`/proc/${pid}/stat`, 'latin1').catch(() => ') Z');
    return !stat.slice(stat.lastIndexOf(')') + 2).startsWith('Z');
  }
});

describe('identity', () => {
  test('is told before the program can have got its input, and tells whether it lives', async () => {
    const seen: ChildIdentity[] = [];
    let fed = false;
    const result = await runner.run(
      { file: 'cat', args: [], stdin: Buffer.from('x') },
      never(),
      async (child) => {
        seen.push(child);
        await new Promise(setImmediate);
        expect(isAlive(child)).toBe(true);
        fed = true;
      },
    );
    const [child] = seen;
    expect(fed).toBe(true);
    expect(result.stdout).toBe('x');
    expect(child?.pid).toBeGreaterThan(1);
    expect(child?.startTime).toBeGreaterThan(0);
    expect(child?.bootId).toMatch(/^[0-9a-f-]{36}$/u);
    expect(child !== undefined && isAlive(child)).toBe(false);
  });

  test('another process with the same pid, or after a reboot, is another one', async () => {
    const stat = await readFile('/proc/self/stat', 'latin1');
    const startTime = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]);
    const bootId = (await readFile('/proc/sys/kernel/random/boot_id', 'latin1')).trim();
    const own = { pid: process.pid, startTime, bootId };
    expect(isAlive(own)).toBe(true);
    expect(isAlive({ ...own, startTime: startTime - 1 })).toBe(false);
    expect(isAlive({ ...own, bootId: 'other' })).toBe(false);
  });

  test('that cannot be recorded ends the program', async () => {
    const mark = path.join(folder, 'recorded');
    const run = runner.run(shell(`sleep 30; echo > ${mark}`), never(), () =>
      Promise.reject(new Error('disk full')),
    );
    await expect(run).rejects.toThrow('disk full');
    await writeFile(path.join(folder, 'checked'), '');
    await expect(readFile(mark)).rejects.toThrow('ENOENT');
  });
});
