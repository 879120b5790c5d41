import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type Counted, countOf, type Ended, judgeRun, runFolderOf, runProcess } from './chaos-run.ts';
import { drawNext, drawRun, kindOf, kinds } from './draw.ts';
import type { Verdict } from './jobs.ts';
import { backUp, bringBack, rotateAgain } from './other-runs.ts';
import { buildWorker, type Lane, openLane } from './pool.ts';
import { createDraw } from './random.ts';

export interface Broken {
  readonly number: number;
  readonly seed: number;
  readonly story: readonly string[];
  readonly problems: readonly string[];
  readonly folder: string;
}

export interface BatteryResult {
  readonly seed: number;
  readonly runs: number;
  readonly struck: Readonly<Record<string, number>>;
  /** By the exit codes of a run's processes: 'killed', '0', '1' and so on, joined. */
  readonly codes: Readonly<Record<string, number>>;
  readonly ends: Readonly<Record<string, number>>;
  readonly restored: number;
  /** Rotations that followed in the world of another one. */
  readonly again: number;
  readonly checked: { readonly secrets: number; readonly apiKeys: number; readonly rows: number };
  readonly broken: readonly Broken[];
  /** Kinds that never struck. */
  readonly missing: readonly string[];
}

const NEKS = { namespaces: 6, each: 4 };

interface Tally {
  readonly struck: Record<string, number>;
  readonly codes: Record<string, number>;
  readonly ends: Record<string, number>;
  readonly checked: { secrets: number; apiKeys: number; rows: number };
  restored: number;
  again: number;
  readonly broken: Broken[];
}

function plus(counts: Record<string, number>, name: string): void {
  counts[name] = (counts[name] ?? 0) + 1;
}

function say(ended: Ended): string {
  return `${ended.verb}: ${ended.code ?? 'killed'}`;
}

interface Setting {
  readonly seed: number;
  readonly folder: string;
  readonly counted: ReadonlyMap<number, Counted>;
  readonly tally: Tally;
  readonly keep: boolean;
}

/** What an undisturbed run does, by pods of ESS. */
async function countRuns(lane: Lane, folder: string): Promise<ReadonlyMap<number, Counted>> {
  const counted = new Map<number, Counted>();
  for (const essReplicas of [1, 2]) {
    const world = { neks: NEKS, essReplicas, earlierKeys: 2, load: { every: 3_000 } };
    const run = { folder: path.join(folder, `undisturbed-${essReplicas}`), seed: 1, world, lane };
    const ended = await runProcess(run, { verb: 'exec' }, 1);
    if (ended.code !== 0) throw new Error(`an undisturbed run ends with ${ended.code}:\n${ended.stderr}`);
    counted.set(essReplicas, countOf(run, 1));
  }
  return counted;
}

/** Draws one run, lets it happen to its end, and judges the world that it leaves. */
export async function chaosRun(lane: Lane, number: number, setting: Setting): Promise<void> {
  const { tally } = setting;
  const seed = (setting.seed * 100_003 + number) % 2_000_000_000;
  const draw = createDraw(seed);
  const counted = (essReplicas: number) => setting.counted.get(essReplicas) ?? { calls: 0, changes: [] };
  const drawn = drawRun(draw, number, counted);
  const { essReplicas, every } = drawn.world;
  const world = { neks: NEKS, essReplicas, earlierKeys: 2, load: { every } };
  const folder = path.join(setting.folder, `run-${number}`);
  const run = { folder, seed, world, lane };
  const story: string[] = [JSON.stringify({ names: drawn.names, ...drawn.world })];
  const ended: Ended[] = [];
  let kills = 0;
  const problems: string[] = [];
  let verdict: Verdict | undefined;
  try {
    const backup = drawn.backedUp ? await backUp(run) : undefined;
    const begun = { ...run, ...(backup === undefined ? {} : { from: backup.runFolder }) };
    for (let next: typeof drawn.first | undefined = drawn.first; next !== undefined; ) {
      const last: Ended = await runProcess(begun, next, ended.length + 1);
      story.push(`${JSON.stringify(next)} → ${say(last)}`, ...last.stderr.split('\n').slice(-6));
      ended.push(last);
      if (last.code === undefined && next.killAt !== undefined) kills += 1;
      next = drawNext(draw, { code: last.code, verb: last.verb, number: ended.length }, counted(essReplicas));
    }
    const last = ended.at(-1);
    const runFolder = runFolderOf(folder);
    const over = runFolder !== undefined && [0, 4, 5].includes(last?.code ?? -1);
    if (runFolder === undefined || last === undefined) problems.push('there is no run');
    else if (last.code !== 74 || kills === 0) verdict = await judgeRun(begun, last.code);
    problems.push(...(verdict?.problems ?? []));
    if (verdict?.destroyed === true && runFolder !== undefined) {
      const mended = await bringBack(begun, { runFolder, backup });
      story.push(...mended.story);
      problems.push(...mended.problems);
      tally.restored += 1;
    }
    if (verdict?.destroyed === false && over && draw.chance(0.25)) {
      const again = await rotateAgain(begun, runFolder);
      story.push(...again.story);
      problems.push(...again.problems);
      tally.again += 1;
    }
    const bad = ended.filter(({ code }) => [2, 3, 8, 9, 70].includes(code ?? 0));
    problems.push(...bad.map((each) => `${say(each)}: ${each.stderr.split('\n').slice(-4).join(' / ')}`));
    if (verdict?.destroyed === false && ![0, 4, 5].includes(last?.code ?? -1))
      problems.push(`it never came to an end: ${last === undefined ? '' : say(last)}`);
  } catch (error) {
    problems.push(error instanceof Error ? (error.stack ?? error.message) : String(error));
  }
  const seen = [...(verdict?.struck ?? []), ...Array.from({ length: kills }, () => 'kill at append')];
  for (const what of seen) plus(tally.struck, kindOf(what) ?? what);
  plus(tally.codes, ended.map(({ code }) => code ?? 'killed').join(' '));
  plus(tally.ends, String(ended.at(-1)?.code ?? 'killed'));
  for (const name of ['secrets', 'apiKeys', 'rows'] as const) tally.checked[name] += verdict?.[name] ?? 0;
  if (problems.length > 0) tally.broken.push({ number, seed, story, problems, folder });
  else if (!setting.keep) rmSync(folder, { recursive: true, force: true });
}

/** Runs from `first` on, as many as are wanted, in so many threads. */
export async function battery(given: {
  readonly seed: number;
  readonly runs: number;
  readonly first?: number;
  readonly threads?: number;
  readonly keep?: boolean;
  readonly onRun?: (done: number, broken: readonly Broken[]) => void;
}): Promise<BatteryResult> {
  const { seed, runs, first = 0, threads = 2 } = given;
  const folder = mkdtempSync(path.join(tmpdir(), 'runbook-chaos-'));
  mkdirSync(folder, { recursive: true });
  const file = await buildWorker(path.join(folder, 'program'));
  const lanes = Array.from({ length: threads }, () => openLane(file));
  const tally: Tally = {
    struck: {},
    codes: {},
    ends: {},
    checked: { secrets: 0, apiKeys: 0, rows: 0 },
    restored: 0,
    again: 0,
    broken: [],
  };
  try {
    const [lane] = lanes;
    if (lane === undefined) throw new Error('no thread');
    const counted = await countRuns(lane, folder);
    let next = first;
    let done = 0;
    await Promise.all(
      lanes.map(async (own) => {
        while (next < first + runs) {
          await chaosRun(own, next++, { seed, folder, counted, tally, keep: given.keep ?? false });
          given.onRun?.(++done, tally.broken);
        }
      }),
    );
  } finally {
    await Promise.all(lanes.map((lane) => lane.close()));
    if (tally.broken.length === 0 && given.keep !== true) rmSync(folder, { recursive: true, force: true });
  }
  return { seed, runs, ...tally, missing: kinds.filter((kind) => tally.struck[kind] === undefined) };
}
