import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { type Canary, canaryScanner } from '../../cli/canaries.ts';
import { type Connection, connect } from '../api.ts';
import {
  ensureUp,
  everyApiKeyValid,
  everySecretReadable,
  releaseCassandra,
  reset,
  rootToken,
  runMigrations,
  type Stack,
  startApiProxy,
} from '../control.ts';
import { settleOpenBao } from '../openbao.ts';
import { waitForWorkloads } from '../workloads.ts';
import { expectExit, expectKept, outputsOf, world } from './key-checks.ts';
import { type Fault, faults, lostAnswers } from './key-faults.ts';
import { type LoadReport, startLoad } from './key-load.ts';
import { createKeyOperator, type KeyOperator } from './key-operator.ts';
import { anotherReencryption } from './key-runbooks.ts';
import { allowBlindWrites, everythingOpens, wrappedBy } from './key-world.ts';
import { plantedSecrets } from './planted.ts';
import { anyOf, randomFrom } from './random.ts';
import { type Finished, stackTraceIn } from './rig.ts';

const kills = ['killed, then resumed', 'killed, then rolled back', 'killed twice, then resumed'] as const;
const operators = [
  'a second rotation',
  'a second re-encryption',
  'the migrations Job, before the guard',
] as const;
type Kind =
  | (typeof kills)[number]
  | keyof typeof faults
  | keyof typeof lostAnswers
  | (typeof operators)[number];
const kinds: readonly Kind[] = [
  ...kills,
  ...(Object.keys(faults) as (keyof typeof faults)[]),
  ...(Object.keys(lostAnswers) as (keyof typeof lostAnswers)[]),
  ...operators,
];

const runs = Number(process.env.RUNBOOK_KEY_CRASHES ?? 20);
/** The same every time unless told, so that a change is to blame for what it breaks. */
const seed = Number(process.env.RUNBOOK_KEY_CRASH_SEED ?? 1);
const struck = new Map<Kind, number>();
const said: Buffer[] = [];
const secrets = new Map<string, Canary>();
let stack: Stack;
let admin: Connection;
let token: string;
let isTidy = true;

beforeAll(async () => {
  stack = await ensureUp();
  admin = connect(stack.kubeconfig);
  await reset();
  token = await rootToken();
});

afterEach(async ({ task }) => {
  for (const canary of await plantedSecrets()) secrets.set(canary.name, canary);
  isTidy = task.result?.state === 'pass';
});

afterAll(async () => {
  const counts = kinds.map((kind) => `${struck.get(kind) ?? 0} × ${kind}`);
  process.stderr.write(`seed ${seed}; what struck:\n${counts.join('\n')}\n`);
  await reset();
});

async function operatorAt(kubeconfig = stack.kubeconfig): Promise<KeyOperator> {
  const operator = await createKeyOperator({ kubeconfig, token }, { said });
  for (const canary of operator.secrets) secrets.set(`${canary.name} of ${operator.folder}`, canary);
  return operator;
}

/** Takes back what a fault left of itself, so that a run can end. */
async function heal(): Promise<void> {
  await releaseCassandra();
  await settleOpenBao(connect());
  await waitForWorkloads(admin, 180);
}

function note(kind: Kind): void {
  struck.set(kind, (struck.get(kind) ?? 0) + 1);
}

interface Case {
  readonly kind: Kind;
  readonly random: () => number;
  /** For messages. */
  readonly name: string;
}

// Slow enough for something to happen between two batches of rows.
const rotation = [
  ...['exec', 'mek-rotation', '--yes', '--output', 'json', '--input', 'rowsPerSecond=40'],
  // The doubles of ESS look every few seconds.
  ...['--input', 'reloadWithin=5s'],
];

/** The run with its one fault; how it ended first. */
async function perform(operator: KeyOperator, { kind, random }: Case): Promise<Finished> {
  const args = [...rotation, ...operator.backup];
  if ((kills as readonly string[]).includes(kind)) {
    const place = 20 + Math.floor(random() * 170);
    const killed = await operator.run(args, { RUNBOOK_FAILPOINT: String(place) });
    if (killed.signal === 'SIGKILL') note(kind);
    if (kind !== 'killed twice, then resumed') return killed;
    return operator.run(['resume', 'last', '--yes'], {
      RUNBOOK_FAILPOINT: String(5 + Math.floor(random() * 20)),
    });
  }
  const run = operator.start(args);
  let over = false;
  void run.finished.then(() => {
    over = true;
  });
  if (kind === 'a second rotation') {
    await run.event(({ type }) => type === 'locked');
    const other = await operatorAt();
    const refused = await other.run(['exec', 'mek-rotation', '--yes', ...other.backup]);
    expectExit(refused, 8);
    note(kind);
  } else if (kind === 'a second re-encryption') {
    await run.event((event) => event.type === 'intended' && event.id === 'reencrypt');
    const other = await operatorAt();
    expectExit(await other.run(['exec', other.write('other.yaml', anotherReencryption), '--yes']), 0);
    note(kind);
  } else {
    const { moments, strike }: Fault = faults[kind as keyof typeof faults];
    const [type, id] = anyOf(moments, random);
    await run.event((event) => event.type === type && 'id' in event && event.id === id);
    const reached = !over;
    await strike(admin, random);
    if (reached) note(kind);
  }
  return run.finished;
}

/** The same through a proxy that loses one answer. */
async function performWithLoss(kind: keyof typeof lostAnswers): Promise<[KeyOperator, Finished]> {
  const proxy = await startApiProxy();
  onTestFinished(() => proxy.close());
  const operator = await operatorAt(proxy.kubeconfig);
  void proxy.swallowAnswerTo(lostAnswers[kind]).then(() => note(kind));
  return [operator, await operator.run([...rotation, ...operator.backup])];
}

/** Goes on until the run is done or rolled back; a cluster that is well again lets either succeed. */
async function settle(operator: KeyOperator, first: Finished, { kind, random }: Case): Promise<Finished> {
  let last = first;
  let back = kind === 'killed, then rolled back' || (kind in faults && random() < 0.3);
  for (let attempt = 0; last.code !== 0 && last.code !== 5 && attempt < 4; attempt += 1) {
    expect(stackTraceIn(`${last.stdout}\n${last.stderr}`)).toBeUndefined();
    await heal();
    last = await operator.run([back ? 'rollback' : 'resume', 'last', '--yes']);
    back = attempt > 0;
  }
  return last;
}

async function rotateWith(given: Case): Promise<void> {
  const { kind, name } = given;
  const before = await world();
  const load = startLoad();
  let report: LoadReport | undefined;
  try {
    const [operator, first] =
      kind in lostAnswers
        ? await performWithLoss(kind as keyof typeof lostAnswers)
        : await operatorAt().then(async (one) => [one, await perform(one, given)] as const);
    const last = await settle(operator, first, given);
    const told = `${name}\n${first.stderr}\n${last.stdout.slice(-4000)}\n${last.stderr}`;
    expect([0, 5], told).toContain(last.code);
    await heal();
    report = await load.stop();

    const after = await world();
    expectKept(before, after);
    if (last.code === 0) {
      const { kid } = await outputsOf(operator);
      expect(after.held.currentKid, told).toBe(kid);
      expect(Object.keys(wrappedBy(after.rows)), told).toEqual([kid]);
    } else expect(after.held.currentKid, told).toBe(before.held.currentKid);
    if (kind === 'the document is edited') expect(after.held.fields, told).toHaveProperty('edited');
    expect((await operator.run(['verify', 'last', '--cluster'])).code, told).toBe(0);
    expect((await everythingOpens(admin)).wrong, told).toEqual([]);
  } finally {
    report ??= await load.stop();
  }
  expect(report.wrong, name).toEqual([]);
  expect(report.written, name).toBeGreaterThan(5);
  const felt = kind in faults && faults[kind as keyof typeof faults].felt;
  if (!felt) expect(report.unreadable, name).toEqual([]);
}

/** The Job overwrites everything first. The run must see that, and leave the document to those who can repair it. */
async function meetOverwrittenDocument(kind: Kind): Promise<void> {
  await allowBlindWrites();
  expect((await runMigrations({ readFails: true })).succeeded).toBe(true);
  const before = await world();
  const operator = await operatorAt();
  expectExit(await operator.run([...rotation, ...operator.backup]), 4);
  note(kind);
  expect(await world()).toEqual(before);
  await reset();
  expect((await everySecretReadable()).wrong).toEqual([]);
  expect((await everyApiKeyValid()).wrong).toEqual([]);
}

const draw = randomFrom(seed);
const cases: readonly Case[] = Array.from({ length: runs }, (_, index) => {
  const kind = kinds[index % kinds.length] ?? kills[0];
  return { kind, random: randomFrom(draw() * 2 ** 32), name: `run ${index + 1} of seed ${seed}: ${kind}` };
});

describe(`one fault in each rotation (seed ${seed})`, () => {
  test.each(cases.map((given) => [given.name, given] as const))(
    '%s',
    async (_name, given) => {
      // What a failed test left behind is not the next one's fault.
      if (!isTidy) await reset();
      if (given.kind === 'the migrations Job, before the guard') await meetOverwrittenDocument(given.kind);
      else await rotateWith(given);
    },
    300_000,
  );
});

test('every kind of fault did strike', () => {
  expect(kinds.slice(0, runs).filter((kind) => (struck.get(kind) ?? 0) === 0)).toEqual([]);
});

test('no secret stands in anything that these runs printed or kept', () => {
  const scanner = canaryScanner([...secrets.values()]);
  expect(said.length).toBeGreaterThan(runs);
  expect([...new Set(said.flatMap((content) => scanner.find(content)))]).toEqual([]);
});
