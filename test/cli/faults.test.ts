import { describe, expect, test } from 'vitest';
import { createRig, type Rig } from './rig.ts';
import { oneChange } from './runbooks.ts';
import { deploymentOf, recordsOf, writesOf } from './state.ts';

function replicas(rig: Rig): Promise<unknown> {
  return deploymentOf(rig, 'nvcf', 'nvcf-api').then(({ spec }) => (spec as { replicas: number }).replicas);
}

async function begun(fault: string): Promise<{ rig: Rig; code: number | null; stderr: string }> {
  const rig = createRig();
  rig.write('one-change.yaml', oneChange);
  const { code, stderr } = await rig.run(['exec', 'one-change', '--sandbox', '--yes', '--fault', fault]);
  expect(stderr).not.toContain('    at ');
  return { rig, code, stderr };
}

describe('a fault in the sandbox', () => {
  test('an error before the effect changes nothing, and resume does it once', async () => {
    const { rig, code, stderr } = await begun('scale=error');
    expect(stderr).toMatch(/^\d\d:\d\d:\d\d {2}FAILED +scale /m);
    expect(code).toBe(4);
    expect(writesOf(rig)).toEqual({});
    const resumed = await rig.run(['resume', 'last', '--yes']);
    expect(resumed).toMatchObject({ code: 0, stdout: 'ready: 2\n' });
    expect(Object.values(writesOf(rig))).toEqual([1]);
    expect(await replicas(rig)).toBe(2);
  });

  test.each(['crash-before', 'crash-after'])('%s: the next process looks first', async (kind) => {
    const { rig, code } = await begun(`scale=${kind}`);
    expect(code).toBe(null);
    expect(Object.values(writesOf(rig))).toEqual(kind === 'crash-before' ? [] : [1]);
    const resumed = await rig.run(['resume', 'last', '--yes']);
    expect(resumed).toMatchObject({ code: 0, stdout: 'ready: 2\n' });
    expect(Object.values(writesOf(rig))).toEqual([1]);
    expect(await replicas(rig)).toBe(2);
  });

  test.each(['timeout', 'lost-answer'])('%s: what came of it is looked up, not repeated', async (kind) => {
    const { rig, code } = await begun(`scale=${kind}`);
    if (code !== 0) expect(await rig.run(['resume', 'last', '--yes'])).toMatchObject({ code: 0 });
    expect(Object.values(writesOf(rig))).toEqual([1]);
    expect(await replicas(rig)).toBe(2);
    expect(recordsOf(rig, 'run-finished').at(-1)).toMatchObject({ outputs: { ready: 2 } });
  });

  test.each(['crash-after', 'lost-answer'])('%s, then rollback: everything is as before', async (kind) => {
    const { rig } = await begun(`scale=${kind}`);
    const { code, stderr } = await rig.run(['rollback', 'last', '--yes']);
    expect(stderr).toMatch(/rolled.back/);
    expect(code).toBe(5);
    expect(await replicas(rig)).toBe(1);
    expect(Object.values(writesOf(rig))).toEqual([2]);
  });

  test('a second rollback finds nothing to do', async () => {
    const { rig } = await begun('scale=crash-after');
    expect((await rig.run(['rollback', 'last', '--yes'])).code).toBe(5);
    const again = await rig.run(['rollback', 'last', '--yes']);
    expect(again.stderr).toContain('nothing left to do');
    expect(again.code).toBe(5);
    expect(Object.values(writesOf(rig))).toEqual([2]);
  });

  test('a crash before the effect, then rollback: there is nothing to undo', async () => {
    const { rig } = await begun('scale=crash-before');
    const { code } = await rig.run(['rollback', 'last', '--yes']);
    expect(code).toBe(5);
    expect(writesOf(rig)).toEqual({});
  });

  test.each([
    ['scale=explode', 'error, timeout, crash-before'],
    ['scale', 'STEP=KIND'],
  ])('%s is no fault, and is told what is', async (fault, hint) => {
    const { rig, code, stderr } = await begun(fault);
    expect(stderr).toContain('is no fault');
    expect(stderr).toContain(hint);
    expect(stderr).not.toContain('internal error');
    expect(code).toBe(2);
    expect((await rig.run(['runs'])).stdout).toBe('');
  });

  test('is refused without a sandbox', async () => {
    const rig = createRig();
    rig.write('one-change.yaml', oneChange);
    const { code, stderr } = await rig.run(['exec', 'one-change', '--fault', 'scale=error']);
    expect(stderr).toBe(
      'error: --fault works with --sandbox only\nhint: nothing is made to fail in a real cluster\n',
    );
    expect(code).toBe(2);
  });
});
