import { expect } from 'vitest';
import { type Connection, isReady, listObjects } from '../../api.ts';
import { openBaoStatus } from '../../control.ts';
import { waitFor } from '../../shell.ts';
import { waitForWorkloads } from '../../workloads.ts';
import { expectExit } from '../key-checks.ts';
import { createKeyOperator } from '../key-operator.ts';
import { type Finished, showRun, stackTraceIn } from '../rig.ts';
import type { Inputs, RunbookCase, Scene } from './case.ts';
import { shapeOfWorld } from './shape.ts';

/** What all scenes of a test run share. */
export interface Stage {
  readonly kubeconfig: string;
  readonly token: string;
  readonly admin: Connection;
  /** Folder of `helm`. */
  readonly helm: string;
  readonly said: Buffer[];
}

/** What one run of a case came to, for the table. */
export interface Told {
  readonly outcome: string;
}

async function sceneOf({ kubeconfig, token, admin, helm, said }: Stage): Promise<Scene> {
  const operator = await createKeyOperator({ kubeconfig, token }, { said });
  const given = {
    PATH: `${helm}:${process.env.PATH}`,
    RUNBOOK_SECRET_CASSANDRA_PASSWORD: 'cassandra',
  };
  const start: typeof operator.start = (args, env) => operator.start(args, { ...given, ...env });
  return {
    admin,
    operator: { ...operator, start, run: (args, env) => start(args, env).finished },
  };
}

function execOf(runbook: string, inputs: Inputs): readonly string[] {
  return ['exec', runbook, '--yes', '--output', 'json', ...inputs.flatMap((input) => ['--input', input])];
}

/** Answers every approval that the run waits for, until it ends. */
async function throughApprovals({ operator }: Scene, first: Finished): Promise<Finished> {
  let last = first;
  for (let turn = 0; last.code === 10 && turn < 4; turn += 1) {
    const { events } = await showRun(operator);
    const asked = events.findLast((event) => event.type === 'suspended');
    if (asked?.type !== 'suspended' || asked.approval === undefined) return last;
    const answered = await operator.run(['approve', 'last', asked.id, '--reason', 'read']);
    expectExit(answered, 0);
    last = await operator.run(['resume', 'last', '--yes']);
  }
  return last;
}

/** The success path. */
export async function succeed(stage: Stage, given: RunbookCase): Promise<Told> {
  const scene = await sceneOf(stage);
  const inputs = await given.prepare(scene);
  const first = await scene.operator.run(execOf(given.runbook, inputs));
  const last = await throughApprovals(scene, first);
  expectExit(last, given.exit ?? 0);
  await given.done(scene, last);
  await expectWhole(stage);
  return { outcome: `exit ${last.code}` };
}

/** The failure, and the way back from it. */
export async function failAndRollBack(stage: Stage, given: RunbookCase): Promise<Told> {
  const { failure } = given;
  if (failure === undefined) throw new Error(`${given.runbook} has no failure to try`);
  const scene = await sceneOf(stage);
  const inputs = await (failure.prepare ?? given.prepare)(scene);
  const before = await shapeOfWorld(stage.admin);
  const running = scene.operator.start(execOf(given.runbook, inputs));
  if (failure.strike !== undefined) {
    await running.event(failure.strike.at);
    await failure.strike.does(scene, running);
  }
  const failed = await running.finished;
  const { code, stdout, stderr } = failed;
  expect(failure.exit ?? [1], `${stdout.slice(-8000)}\n${stderr}`).toContain(code);
  if (failure.says !== undefined) expect(`${stdout}\n${stderr}`).toMatch(failure.says);
  expect(stackTraceIn(stderr)).toBeUndefined();
  await failure.heal?.(scene);
  const back = await scene.operator.run(['rollback', 'last', '--yes']);
  expectExit(back, 5);
  await waitForWorkloads(stage.admin, 180);
  const after = await shapeOfWorld(stage.admin);
  if (failure.changed === undefined) expect(after).toEqual(before);
  else await failure.changed(scene, before, after);
  await expectWhole(stage);
  return { outcome: `exit ${code}, rolled back 5: ${failure.what}` };
}

/** `kill -9` at a drawn place of the journal, then resumed to the same end as without it. */
export async function killAndResume(
  stage: Stage,
  given: RunbookCase,
  { random, restore }: { random: () => number; restore: () => Promise<void> },
): Promise<Told> {
  // How long the journal gets, is known only afterwards; two places belong to each append.
  let most = 120;
  for (let attempt = 0; attempt < 5; attempt += 1) {
    const scene = await sceneOf(stage);
    const inputs = await given.prepare(scene);
    const place = 12 + Math.floor(random() * (most - 12));
    const args = execOf(given.runbook, inputs);
    const killed = await scene.operator.run(args, { RUNBOOK_FAILPOINT: String(place) });
    if (killed.signal !== 'SIGKILL') {
      expect([0, 10], `${killed.stdout.slice(-4000)}\n${killed.stderr}`).toContain(killed.code);
      const ended = (await showRun(scene.operator)).events.length * 2;
      most = Math.max(13, Math.min(place, ended));
      await restore();
      continue;
    }
    const resumed = await scene.operator.run(['resume', 'last', '--yes']);
    const last = await throughApprovals(scene, resumed);
    expectExit(last, given.exit ?? 0);
    await given.done(scene, last);
    await expectWhole(stage);
    expectExit(await scene.operator.run(['verify', 'last', '--cluster']), 0);
    return { outcome: `killed at place ${place}, resumed ${last.code}` };
  }
  throw new Error(`${given.runbook} always ended before it could be killed`);
}

/** No pod is left behind, and OpenBao is open. */
async function expectWhole({ admin }: Stage): Promise<void> {
  await waitForWorkloads(admin, 180);
  await waitFor(async () => (await listObjects(admin, 'v1', 'Pod')).every((pod) => isSettledPod(pod)), {
    what: 'every pod to be ready or at its end',
    seconds: 120,
  });
  await waitFor(async () => (await openBaoStatus()).every(({ sealed }) => sealed === false), {
    what: 'OpenBao to be unsealed by its sidecars',
    seconds: 60,
  });
}

function isSettledPod(pod: Parameters<typeof isReady>[0]): boolean {
  return isReady(pod) || pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed';
}
