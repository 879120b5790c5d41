import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { verifyRun } from '../../src/engine/run/list-runs.ts';
import { createRig, type Rig } from './rig.ts';
import { twoChanges } from './runbooks.ts';
import { deploymentOf, journalOf, runFolderOf, writesOf } from './state.ts';

const exec = ['exec', 'two-changes', '--sandbox', '--yes'];
/** Every point, for a quiet hour; otherwise some that the seed chooses. */
const all = process.env.RUNBOOK_ALL_KILLS === '1';
const AT_ONCE = 2;
const seed = Number(process.env.RUNBOOK_KILL_SEED ?? Date.now() % 1000);

function twoChangesRig(): Rig {
  const rig = createRig();
  rig.write('two-changes.yaml', twoChanges);
  return rig;
}

async function changes(rig: Rig): Promise<unknown> {
  const [api, sis] = await Promise.all([
    deploymentOf(rig, 'nvcf', 'nvcf-api'),
    deploymentOf(rig, 'sis', 'spot-instance-service'),
  ]);
  const template = (sis.spec as { template: { spec: { containers: { name: string; env?: unknown }[] } } })
    .template;
  return {
    replicas: (api.spec as { replicas: number }).replicas,
    env: template.spec.containers.find(({ name }) => name === 'helm-nvcf-sis')?.env ?? [],
  };
}

const before = { replicas: 1, env: [] };
const after = { replicas: 2, env: [{ name: 'LOG_LEVEL', value: 'debug' }] };

/** What a run that nobody disturbs gives. */
async function uninterrupted(): Promise<{ readonly outputs: unknown; readonly writes: unknown }> {
  const rig = twoChangesRig();
  expect((await rig.run(exec)).code).toBe(0);
  expect(await changes(rig)).toEqual(after);
  return { outputs: outputsOf(rig), writes: writesOf(rig) };
}

function outputsOf(rig: Rig): unknown {
  return journalOf(rig).findLast(({ type }) => type === 'run-finished')?.outputs;
}

/** Undefined: the run was over before it came to that point. */
async function killedAt(point: number): Promise<Rig | undefined> {
  const rig = twoChangesRig();
  const { code, signal } = await rig.run(exec, { env: { RUNBOOK_FAILPOINT: String(point) } });
  if (code === 0) return undefined;
  expect(signal, `kill at ${point}`).toBe('SIGKILL');
  return rig;
}

/** Kills runs at every `stride`-th point, two at once, until one comes to its end; how many were killed. */
async function killEverywhere(
  stride: number,
  check: (rig: Rig, point: number) => Promise<void>,
): Promise<number> {
  let next = 1 + (seed % stride);
  let kills = 0;
  const worker = async () => {
    for (;;) {
      const point = next;
      next += stride;
      const rig = await killedAt(point);
      if (rig === undefined) return;
      kills += 1;
      await check(rig, point);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return kills;
}

/** The first append opens the journal: before it there is nothing that could go on. */
function hasBegun(rig: Rig): boolean {
  return journalOf(rig).length > 0;
}

describe(`a run killed before or after a journal append (RUNBOOK_KILL_SEED=${seed})`, () => {
  test('is finished by resume, as if nothing had happened', { timeout: 600_000 }, async () => {
    const undisturbed = await uninterrupted();
    expect(Object.values(undisturbed.writes as object)).toEqual([1, 1]);
    const kills = await killEverywhere(all ? 1 : 2, async (rig, point) => {
      const where = `killed at ${point}`;
      const { code, stderr } = await rig.run(['resume', 'last', '--yes']);
      expect(stderr, where).not.toContain('    at ');
      if (!hasBegun(rig)) {
        expect(stderr, where).toContain('stopped before its first record: nothing was done');
        expect(code, where).toBe(74);
        return;
      }
      expect({ code, stderr }, where).toMatchObject({ code: 0 });
      expect(outputsOf(rig), where).toEqual(undisturbed.outputs);
      expect(writesOf(rig), where).toEqual(undisturbed.writes);
      expect(await changes(rig), where).toEqual(after);
      const folder = runFolderOf(rig);
      expect(verifyRun(path.dirname(folder), path.basename(folder)).problems, where).toEqual([]);
    });
    expect(kills).toBeGreaterThan(all ? 60 : 30);
  });

  test('is undone by rollback, whatever had been done', { timeout: 600_000 }, async () => {
    const kills = await killEverywhere(all ? 2 : 9, async (rig, point) => {
      const where = `killed at ${point}`;
      if (!hasBegun(rig)) return;
      const over = outputsOf(rig) !== undefined;
      const { code, stderr } = await rig.run(['rollback', 'last', '--yes']);
      expect({ code, stderr, over }, where).toMatchObject({ code: 5 });
      expect(await changes(rig), where).toEqual(before);
      const again = await rig.run(['rollback', 'last', '--yes']);
      expect(again.code, where).toBe(5);
    });
    expect(kills).toBeGreaterThan(6);
  });

  test('and resumed and killed again and again, still ends once', { timeout: 600_000 }, async () => {
    const rig = await killedAt(3);
    if (rig === undefined) throw new Error('not killed');
    const codes: (number | null)[] = [];
    for (let point = 9; codes.at(-1) !== 0 && point < 90; point += 6) {
      const { code } = await rig.run(['resume', 'last', '--yes'], {
        env: { RUNBOOK_FAILPOINT: String(point) },
      });
      codes.push(code);
    }
    expect(codes.length).toBeGreaterThan(2);
    expect(codes).toEqual([...codes.slice(1).map(() => null), 0]);
    expect(Object.values(writesOf(rig))).toEqual([1, 1]);
    expect(await changes(rig)).toEqual(after);
  });
});
