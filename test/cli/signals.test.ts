import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { createRig, type Rig, type Running } from './rig.ts';
import { runbookOf } from './runbooks.ts';
import { recordsOf } from './state.ts';

/** Runs until the file `release` is there, and notes each signal that reaches it; a child of its own shares its group. */
const worker = `#!/bin/sh
trap 'echo TERM >> signals' TERM
trap 'echo INT >> signals' INT
trap 'echo HUP >> signals' HUP
echo begun
while [ ! -e release ] && [ ! -e signals ]; do sleep 0.05; done
[ -e signals ] && exit 143
touch done
`;

/** Deaf to SIGTERM. */
const deaf = worker.replace(/^trap .*TERM$/m, "trap '' TERM").replace(' && [ ! -e signals ]', '');

function slow(script = worker): Rig {
  const rig = createRig();
  rig.write('worker.sh', script);
  rig.write(
    'own.yaml',
    runbookOf(`  - id: slow
    uses: exec
    with: {command: [sh, worker.sh], effect: change, observe: {command: [test, -e, done]}, undo: {command: [rm, done]}}
    timeout: 1m
  - id: next
    uses: exec
    with: {command: [touch, next], effect: change, observe: {command: [test, -e, next]}}
    timeout: 1m
`),
  );
  return rig;
}

async function begun(rig: Rig): Promise<Running> {
  const run = rig.start(['exec', 'own', '--yes']);
  await run.shows('begun');
  return run;
}

function exists(rig: Rig, name: string): boolean {
  return existsSync(path.join(rig.folder, name));
}

describe('signals', () => {
  test.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)(
    '%s once: the operation finishes, nothing new starts, resume goes on',
    async (signal) => {
      const rig = slow();
      const run = await begun(rig);
      run.signal(signal);
      await run.shows(signal);
      rig.write('release', '');
      const { code, stderr } = await run.finished;
      expect(code).toBe(130);
      expect(exists(rig, 'signals')).toBe(false);
      expect([exists(rig, 'done'), exists(rig, 'next')]).toEqual([true, false]);
      expect(stderr).toContain('runbook resume');
      expect(stderr).toContain('runbook rollback');
      expect(recordsOf(rig, 'interrupted')).toMatchObject([{ signal, count: 1 }]);
      expect((await rig.run(['resume', 'last', '--yes'])).code).toBe(0);
      expect(exists(rig, 'next')).toBe(true);
    },
  );

  test('twice: the running operation is asked to stop', async () => {
    const rig = slow();
    const run = await begun(rig);
    run.signal('SIGINT');
    await run.shows('SIGINT');
    run.signal('SIGINT');
    const { code } = await run.finished;
    expect(readFileSync(path.join(rig.folder, 'signals'), 'utf8')).toBe('TERM\n');
    expect(code).toBe(130);
    expect([exists(rig, 'done'), exists(rig, 'next')]).toEqual([false, false]);
    rig.write('release', '');
    await rig.shell('rm signals');
    // The one that was stopped may first be reported as such; what was not done is done when asked again.
    const resumed = await rig.run(['resume', 'last', '--yes']);
    if (resumed.code !== 0) expect((await rig.run(['resume', 'last', '--yes'])).code).toBe(0);
    expect([exists(rig, 'done'), exists(rig, 'next')]).toEqual([true, true]);
  });

  test('three times: it leaves at once and says that the outcome is unknown', async () => {
    const rig = slow(deaf);
    const run = await begun(rig);
    for (const count of [1, 2, 3]) {
      run.signal('SIGINT');
      if (count < 3) await run.shows(count === 1 ? 'nothing new starts' : 'is asked to stop');
    }
    const { code, stderr } = await run.finished;
    rig.write('release', '');
    expect(code).toBe(130);
    expect(stderr).toContain('unknown');
    expect(exists(rig, 'next')).toBe(false);
    expect(recordsOf(rig, 'interrupted').map(({ count }) => count)).toEqual([1, 2, 3]);
  });

  test('once while planning: nothing was changed and no run is kept', async () => {
    const rig = createRig();
    rig.write(
      'own.yaml',
      runbookOf(
        `  - id: look
    uses: exec
    with: {command: [sh, worker.sh], effect: read}
`,
        'inputs:\n  k: {type: string, description: For the look, default: x}\n',
      ),
    );
    rig.write('worker.sh', 'touch begun; while [ ! -e release ]; do sleep 0.05; done\n');
    const run = rig.start(['plan', 'own']);
    await rig.shell('while [ ! -e begun ]; do sleep 0.02; done');
    run.signal('SIGINT');
    const { code, stderr } = await run.finished;
    rig.write('release', '');
    expect(stderr).toContain('interrupted while planning; nothing was changed');
    expect(code).toBe(130);
    expect(exists(rig, 'state')).toBe(false);
  });
});
