import { describe, expect, test } from 'vitest';
import { Secret } from '../../../src/engine/secret.ts';
import type { ExecWith } from '../../../src/generated/types.ts';
import { exec } from '../../../src/steps/local/exec.ts';
import { commandLine } from '../../../src/steps/local/program.ts';
import { FakePrograms } from '../../fakes/fake-program.ts';
import { stepRig } from '../../fakes/step-context.ts';

const reading: ExecWith = { command: ['df', '-h', 'a b', '$(id)', "'"], effect: 'read' };
const changing: ExecWith = {
  command: ['silence', 'add'],
  effect: 'change',
  observe: { command: ['silence', 'is'], inProgress: [3], conflict: [4] },
  undo: { command: ['silence', 'drop'] },
};

function rig(answer: ConstructorParameters<typeof FakePrograms>[0]) {
  const programs = new FakePrograms(answer);
  return { ...stepRig({ process: programs }), programs };
}

test('a reading program is only read, its arguments arrive as they are, its lines are shown', async () => {
  const { ctx, programs, progress } = rig(() => ({ stdout: 'one\ntwo\n' }));
  expect(await exec.run(reading, ctx)).toEqual({
    exitCode: 0,
    stdout: 'one\ntwo\n',
    stderr: '',
    truncated: false,
  });
  expect(programs.calls).toMatchObject([
    { how: 'read', command: { file: 'df', args: ['-h', 'a b', '$(id)', "'"] } },
  ]);
  expect(progress.map(({ line }) => line)).toEqual(['one', 'two']);
});

test('a changing program is recorded with what a later process needs to find it', async () => {
  const { ctx, programs, checkpoints } = rig(() => ({}));
  await exec.run(changing, ctx);
  expect(programs.calls[0]?.how).toBe('run');
  expect(checkpoints).toEqual([{ child: { pid: 7, startTime: 70, bootId: 'boot' } }]);
});

test('secrets reach environment and standard input, and nothing else', async () => {
  const { ctx, programs, progress, checkpoints } = rig((command) => ({
    stdout: `got ${command.env?.TOKEN?.length}`,
  }));
  const canary = 'canary-9c2e';
  const secret = Secret.fromText('token', canary);
  const input = { ...changing, env: { TOKEN: secret, MODE: 'x' }, stdin: secret } as unknown as ExecWith;
  const outputs = await exec.run(input, ctx);
  const { command } = programs.calls[0] ?? { command: undefined };
  expect(command?.env).toEqual({ TOKEN: canary, MODE: 'x' });
  expect(new TextDecoder().decode(command?.stdin)).toBe(canary);
  expect(JSON.stringify([outputs, progress, checkpoints, command?.args, exec.describe(input)])).not.toContain(
    canary,
  );
});

test('an exit code that was not expected fails with the last lines', async () => {
  const { ctx } = rig(() => ({ exitCode: 3, stderr: 'why\nbecause\n' }));
  await expect(exec.run(reading, ctx)).rejects.toMatchObject({
    code: 'exit-code',
    message: expect.stringMatching(/^df -h "a b" .* ended with exit code 3, expected 0\.$/),
    details: ['why', 'because'],
  });
  expect(await exec.run({ ...reading, exitCodes: [0, 3] }, ctx)).toMatchObject({ exitCode: 3 });
});

test('a program that was killed has an unknown outcome', async () => {
  const { ctx } = rig(() => ({ exitCode: undefined, signal: 'SIGKILL' }));
  await expect(exec.run(changing, ctx)).rejects.toMatchObject({ code: 'killed', outcome: 'unknown' });
});

test('an empty program and an argument that no system takes are refused before anything starts', async () => {
  const { ctx, programs } = rig(() => ({}));
  for (const command of [[' '], ['x', 'y'.repeat(140_000)]])
    await expect(exec.run({ ...reading, command: command as [string] }, ctx)).rejects.toMatchObject({
      outcome: 'not-applied',
    });
  expect(programs.calls).toEqual([]);
});

describe('observe', () => {
  const before = { state: null, witnesses: [] };

  test.each([
    [0, 'applied'],
    [1, 'not-applied'],
    [3, 'in-progress'],
    [4, 'conflict'],
    [2, 'unknown'],
    [undefined, 'unknown'],
  ] as const)('exit code %s means %s', async (exitCode, state) => {
    const { ctx, programs } = rig(() => ({ exitCode }));
    expect(await exec.observe(changing, before, ctx)).toMatchObject({ state });
    expect(programs.calls).toMatchObject([{ how: 'read', command: { file: 'silence', args: ['is'] } }]);
  });

  test('predict says that nothing would change when it is in place already', async () => {
    const { ctx } = rig(() => ({ exitCode: 0 }));
    expect(await exec.predict(changing, ctx)).toMatchObject({ predictable: true, changes: false });
    const { ctx: absent, programs } = rig(() => ({ exitCode: 1 }));
    expect(await exec.predict(changing, absent)).toMatchObject({ predictable: false });
    expect(programs.calls.every(({ how }) => how === 'read')).toBe(true);
  });
});

describe('undo', () => {
  test('runs what the author declared', async () => {
    const { ctx, programs } = rig(() => ({}));
    if (typeof exec.undo !== 'function') throw new Error('no undo');
    await exec.undo(changing, { state: null, witnesses: [] }, undefined, ctx);
    expect(programs.calls).toMatchObject([{ how: 'run', command: { args: ['drop'] } }]);
    const { undo: _, ...without } = changing;
    const undone = exec.undo(without, { state: null, witnesses: [] }, undefined, ctx);
    await expect(undone).rejects.toMatchObject({ code: 'irreversible' });
  });
});

describe('check', () => {
  test('a changing program declares observe; a reading one has nothing to undo', () => {
    const { observe: _, ...blind } = changing;
    expect(exec.check?.(blind)).toMatchObject([{ path: ['effect'] }]);
    expect(exec.check?.({ ...reading, undo: { command: ['x'] } })).toHaveLength(1);
    expect(exec.check?.(changing)).toEqual([]);
    expect([
      exec.effectOf?.({ effect: 'read' }),
      exec.effectOf?.({ effect: 'change' }),
      exec.effectOf?.({}),
    ]).toEqual(['read', 'change', 'change']);
  });
});

test('a command line is quoted only where it would be misread', () => {
  expect(commandLine(['kubectl', '-n', 'nvcf', 'a b', '', 'x=y'])).toBe('kubectl -n nvcf "a b" "" x=y');
});
