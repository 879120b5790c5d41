import { describe, expect, test } from 'vitest';
import { parseFault } from '../../src/sandbox/faults.ts';
import { openSandbox } from '../../src/sandbox/open.ts';
import type { Command, ProcessRunner } from '../../src/services/process.ts';
import type { Prompt } from '../../src/services/prompt.ts';
import { never } from './rig.ts';

const command = (file: string, ...args: readonly string[]): Command => ({ file, args });

describe('local programs in the sandbox', () => {
  test.each([
    [command('true'), { exitCode: 0, stdout: '' }],
    [command('/bin/false'), { exitCode: 1, stdout: '' }],
    [command('echo', 'a', 'b'), { exitCode: 0, stdout: 'a b\n' }],
    [command('printf', '%s.\\n', 'x'), { exitCode: 0, stdout: 'x.\n' }],
    [
      { ...command('cat'), stdin: Buffer.from('given') },
      { exitCode: 0, stdout: 'given' },
    ],
    [command('sh', '-c', 'echo one && false || exit 7'), { exitCode: 7, stdout: 'one\n' }],
    [command('sh', '-c', 'frobnicate'), { exitCode: 127, stderr: 'sh: frobnicate: not found\n' }],
  ])('%j', async (given, result) => {
    const { services } = openSandbox({ seed: 1 });
    expect(await services.process.run(given, never)).toMatchObject(result);
  });

  test('an unknown one was not started, and the message lists those that are known', async () => {
    const { services } = openSandbox({ seed: 1 });
    const run = services.process.run(command('kubectl', 'delete', 'ns', 'nvcf'), never);
    await expect(run).rejects.toMatchObject({ outcome: 'not-applied' });
    await expect(run).rejects.toThrow(/"kubectl" was not started: .*simulates only sh, true, false, echo/);
  });

  test('takes virtual time, tells its lines, and ends with the signal', async () => {
    const { services } = openSandbox({ seed: 1 });
    const lines: string[] = [];
    const onLine = (line: string, stream: string) => lines.push(`${stream}: ${line}`);
    const begun = services.clock.now();
    await services.process.run({ ...command('sh', '-c', 'echo out; echo err >&2; sleep 2m'), onLine }, never);
    expect(services.clock.now() - begun).toBe(120_000);
    expect(lines).toEqual(['stdout: out', 'stderr: err']);
    const stop = new AbortController();
    const endless = services.process.run(command('sleep', 'infinity'), stop.signal);
    const limit = services.clock.sleep(1_000, never).then(() => stop.abort());
    expect(await endless).toMatchObject({ exitCode: undefined, signal: 'SIGTERM' });
    await limit;
  });

  test('tells who it is before it starts, and loses its answer when that is planned', async () => {
    const sandbox = openSandbox({ seed: 1, faults: [parseFault('local=lost-answer')] });
    const { process } = sandbox.servicesFor('local');
    const children: number[] = [];
    const run = () => process.run(command('true'), never, async ({ pid }) => void children.push(pid));
    expect(await run()).toMatchObject({ exitCode: undefined, signal: 'SIGKILL' });
    expect(await run()).toMatchObject({ exitCode: 0 });
    expect(new Set(children).size).toBe(2);
  });
});

describe('what virtual time waits for', () => {
  const rounds = async () => {
    for (let round = 0; round < 40; round += 1) await new Promise((resolve) => setImmediate(resolve));
  };

  test('a real program that the caller passes through', async () => {
    let finish: () => void = () => undefined;
    const running = new Promise<void>((resolve) => {
      finish = resolve;
    });
    const run: ProcessRunner['run'] = async () => {
      await running;
      return { exitCode: 0, signal: undefined, stdout: 'real', stderr: '', truncated: false };
    };
    const { services } = openSandbox({ seed: 1, process: { run, read: run } });
    const order: string[] = [];
    const program = services.process.run(command('anything'), never).then(({ stdout }) => order.push(stdout));
    const sleeper = services.clock.sleep(10, never).then(() => order.push('slept'));
    await rounds();
    expect(order).toEqual([]);
    finish();
    await Promise.all([program, sleeper]);
    expect(order).toEqual(['real', 'slept']);
  });

  test('a human who is asked', async () => {
    let answer: (yes: boolean) => void = () => undefined;
    const asked = new Promise<boolean>((resolve) => {
      answer = resolve;
    });
    const prompt: Prompt = {
      interactive: true,
      confirm: () => asked,
      choose: async () => 'no-terminal',
      secret: async () => 'no-terminal',
      text: async () => 'no-terminal',
    };
    const sandbox = openSandbox({ seed: 1 });
    const { clock } = sandbox.services;
    const begun = clock.now();
    const confirmed = sandbox.wrapPrompt(prompt).confirm('Sure?', never);
    const renewal = clock.sleep(10_000, never);
    await rounds();
    expect(clock.now()).toBe(begun);
    answer(true);
    expect(await confirmed).toBe(true);
    await renewal;
    expect(clock.now()).toBe(begun + 10_000);
  });

  test('whoever watches it pass', async () => {
    const jumps: number[] = [];
    const { services } = openSandbox({ seed: 1, beforeJump: async (ms) => void jumps.push(ms) });
    await services.clock.sleep(90_000, never);
    expect(jumps.reduce((sum, ms) => sum + ms, 0)).toBe(90_000);
  });
});
