import * as fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { drive } from '../../../src/engine/run/drive.ts';
import type { Session } from '../../../src/engine/run/event.ts';
import { journalName } from '../../../src/engine/run/journal.ts';
import { listRuns, removeRun, verifyRun } from '../../../src/engine/run/list-runs.ts';
import { noLock } from '../../../src/engine/run/lock.ts';
import { RunBusyError, RunForeignError } from '../../../src/engine/run/owner.ts';
import { RunFolderError, readRun, readRunbookFiles } from '../../../src/engine/run/run-folder.ts';
import {
  approve,
  CannotContinueError,
  continueRun,
  type OpenRun,
  openRun,
} from '../../../src/engine/run/session.ts';
import type { Services } from '../../../src/services/services.ts';
import { read, step } from '../../fakes/plan-nodes.ts';
import { RunClock } from '../../fakes/run-clock.ts';
import { planOf } from '../../fakes/run-plan.ts';
import { ScriptedPrompt } from '../../fakes/run-rig.ts';
import { RunTarget, runSchemas } from '../../fakes/run-steps.ts';

let runs = '';
let clock = new RunClock();
let target = new RunTarget(clock);
let alive = new Set<number>();

beforeEach(() => {
  runs = path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'runbook-runs-')), 'runs');
  clock = new RunClock();
  target = new RunTarget(clock);
  alive = new Set([1]);
});
afterEach(() => fs.rmSync(path.dirname(runs), { recursive: true, force: true }));

const plan = planOf([
  step('one'),
  read('goAhead', { uses: 'fake.approve', with: { text: 'Go on?' } }),
  step('two'),
]);

function sessionOf(pid = 1, host = 'bastion'): Session {
  return { actor: { user: 'alice', osUser: 'alice', host }, pid, startTime: 7, bootId: 'boot', tool: 'test' };
}

function common(pid = 1, host = 'bastion') {
  return {
    runs,
    id: 'r1',
    session: sessionOf(pid, host),
    time: () => new Date(clock.now()).toISOString(),
    isAlive: ({ pid: other }: { pid: number }) => alive.has(other),
  };
}

function open(): OpenRun {
  const files = [
    { path: '/x/restart.yaml', text: 'name: a' },
    { path: '/x/b c.yaml', text: 'name: b' },
  ];
  const opening = { assumeYes: false, interactive: false, sandbox: false };
  return openRun({ ...common(), plan, files, opening });
}

const quiet = { interactive: false, assumeYes: false, flags: [] };

function resume(more: Partial<Parameters<typeof continueRun>[0]> = {}): OpenRun {
  return continueRun({ ...common(), mode: 'resume', continuing: quiet, ...more });
}

async function run(open: OpenRun): Promise<number> {
  const services = { clock } as unknown as Services;
  const { exitCode } = await drive({
    plan: open.plan,
    state: open.state,
    journal: open.journal,
    steps: target.steps(),
    schemas: runSchemas,
    services,
    readServices: services,
    prompt: new ScriptedPrompt(),
    clock,
    lock: noLock,
    actor: sessionOf().actor,
    inputs: {},
    observers: [],
  });
  open.close();
  return exitCode;
}

describe('a run folder', () => {
  test('is private, and holds plan, runbook and journal', async () => {
    const opened = open();
    expect(fs.statSync(opened.folder).mode & 0o777).toBe(0o700);
    expect(readRunbookFiles(opened.folder)).toEqual([
      { path: 'restart.yaml', text: 'name: a' },
      { path: 'b_c.yaml', text: 'name: b' },
    ]);
    expect(await run(opened)).toBe(10);
    const stored = readRun(runs, 'r1');
    expect(stored.plan).toEqual(plan);
    expect(stored.state.finished?.outcome).toBe('waiting');
    expect(fs.readdirSync(opened.folder).sort()).toEqual(['journal.jsonl', 'plan.json', 'runbook']);
  });

  test('an approval in one process, the rest in another: 0, and each effect once', async () => {
    expect(await run(open())).toBe(10);
    approve({ ...common(2), step: 'goAhead', reason: 'seen it' });
    expect(await run(resume())).toBe(0);
    expect(target.log).toEqual(['do one', 'do two']);
    expect(() => approve({ ...common(2), step: 'one', reason: 'x' })).toThrow(CannotContinueError);
    expect(() => resume()).toThrow('there is nothing left to do');
  });

  test('is not made twice, and its name leads nowhere else', () => {
    open().close();
    expect(open).toThrow(RunFolderError);
    expect(() => readRun(runs, '../etc')).toThrow('is no run id');
    expect(() => readRun(runs, 'r2')).toThrow('there is no run "r2"');
  });

  test('one that others may write to is refused', () => {
    open().close();
    fs.chmodSync(path.join(runs, 'r1'), 0o777);
    expect(() => resume()).toThrow('others may write');
  });

  test('a plan that is not the one the run began with is refused', () => {
    const opened = open();
    opened.close();
    const file = path.join(opened.folder, 'plan.json');
    fs.writeFileSync(file, fs.readFileSync(file, 'utf8').replace('"title":"Test"', '"title":"Best"'));
    expect(() => resume()).toThrow('its digest does not fit');
  });
});

describe('who works on a run', () => {
  test('a second process is kept out while the first lives, and let in once it is dead', () => {
    const first = open();
    expect(() => resume(common(2))).toThrow(RunBusyError);
    alive.delete(1);
    alive.add(2);
    const second = resume(common(2));
    expect(() => resume(common(3))).toThrow(RunBusyError);
    second.close();
    first.journal.close();
    alive.add(3);
    resume(common(3)).close();
  });

  test('of many that find the owner dead, one gets in', () => {
    open();
    alive = new Set([2, 3, 4, 5]);
    const won = [2, 3, 4, 5].filter((pid) => {
      try {
        resume(common(pid));
        return true;
      } catch (thrown) {
        expect(thrown).toBeInstanceOf(RunBusyError);
        return false;
      }
    });
    expect(won).toEqual([2]);
  });

  test('a run of another machine is only adopted on purpose', () => {
    open().close();
    expect(() => resume(common(1, 'laptop'))).toThrow(RunForeignError);
    resume({ ...common(1, 'laptop'), adopt: true }).close();
    resume(common(1, 'laptop')).close();
  });
});

describe('journals of processes that died', () => {
  test('a torn tail is kept aside, cut and recorded; then the run goes on', async () => {
    expect(await run(open())).toBe(10);
    const file = path.join(runs, 'r1', journalName);
    fs.appendFileSync(file, '117 abc');
    expect(verifyRun(runs, 'r1').problems).toHaveLength(1);
    approve({ ...common(), step: 'goAhead', reason: 'yes' });
    expect(await run(resume())).toBe(0);
    const repaired = readRun(runs, 'r1').events.find((event) => event.type === 'tail-repaired');
    expect(repaired).toMatchObject({ bytes: 7 });
    const kept = repaired?.type === 'tail-repaired' ? repaired.keptIn : '';
    expect(fs.readFileSync(path.join(runs, 'r1', kept), 'utf8')).toBe('117 abc');
    expect(verifyRun(runs, 'r1').problems).toEqual([]);
  });

  test('damage refuses, and says where', async () => {
    expect(await run(open())).toBe(10);
    const file = path.join(runs, 'r1', journalName);
    const bytes = fs.readFileSync(file);
    bytes[200] = (bytes[200] ?? 0) ^ 1;
    fs.writeFileSync(file, bytes);
    expect(() => resume()).toThrow('damaged at byte 0, after record 0');
  });

  test('an end that was cut off at a record is seen by what the Lease remembers', async () => {
    expect(await run(open())).toBe(10);
    const { head } = verifyRun(runs, 'r1');
    expect(verifyRun(runs, 'r1', head).problems).toEqual([]);
    const file = path.join(runs, 'r1', journalName);
    const text = fs.readFileSync(file, 'utf8');
    fs.writeFileSync(file, text.slice(0, text.lastIndexOf('\n', text.length - 2) + 1));
    expect(verifyRun(runs, 'r1', head).problems).toEqual([
      `the Lease has seen record ${head.seq}, but the journal ends with ${head.seq - 1}: its end is missing`,
    ]);
    expect(verifyRun(runs, 'r1', { seq: 1, hash: '0'.repeat(64) }).problems).toHaveLength(1);
  });
});

describe('continuing', () => {
  test('a step done by hand is passed over, with who and why', async () => {
    target.script.set('one', ['fail']);
    expect(await run(open())).toBe(4);
    const opened = resume({ markDone: { step: 'one', reason: 'restarted it myself' } });
    expect(await run(opened)).toBe(10);
    expect(target.log).toEqual([]);
    const skipped = readRun(runs, 'r1').events.find((event) => event.type === 'skipped');
    expect(skipped).toMatchObject({
      reason: 'marked-done',
      text: 'marked as done by alice: restarted it myself',
    });
    expect(() => resume({ markDone: { step: 'two', reason: 'x' } })).toThrow('is not where run "r1" stopped');
  });

  test('a rollback by command undoes what took effect', async () => {
    expect(await run(open())).toBe(10);
    expect(await run(resume({ mode: 'rollback' }))).toBe(5);
    expect(target.log).toEqual(['do one', 'undo one']);
    expect(() => resume({ mode: 'rollback' })).toThrow('rolled back');
  });
});

test('runs are listed from the ends of their journals, and removed unless somebody works on them', async () => {
  const viewer = { host: 'bastion', isAlive: ({ pid }: { pid: number }) => alive.has(pid) };
  expect(listRuns(runs, viewer)).toEqual([]);
  const opened = open();
  expect(listRuns(runs, viewer)[0]?.owner?.pid).toBe(1);
  expect(() => removeRun(runs, 'r1', viewer)).toThrow(RunBusyError);
  await run(opened);
  const [listed] = listRuns(runs, viewer);
  expect(listed).toMatchObject({
    id: 'r1',
    opened: { title: 'Test' },
    last: { type: 'run-finished', outcome: 'waiting' },
    problem: undefined,
  });
  expect(listed?.owner).toBeUndefined();
  removeRun(runs, 'r1', viewer);
  expect(listRuns(runs, viewer)).toEqual([]);
});
