import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { CountedChange, SandboxScript } from '../../src/sandbox/script.ts';
import type { Verdict } from './jobs.ts';
import type { Lane } from './pool.ts';

/** What one process of a run is given. */
export interface Process {
  readonly verb: 'exec' | 'resume' | 'rollback';
  readonly strikes?: SandboxScript['strikes'];
  /** Virtual milliseconds that pass before it. */
  readonly after?: number;
  /** Kill at this point before or after a journal append. */
  readonly killAt?: number;
}

export interface Ended {
  readonly verb: Process['verb'];
  /** Undefined: killed. */
  readonly code: number | undefined;
  readonly stderr: string;
  readonly stdout: string;
}

export interface ChaosRun {
  readonly folder: string;
  readonly seed: number;
  readonly world: NonNullable<SandboxScript['world']>;
  readonly lane: Lane;
  /** Folder of the run in whose world this one begins. */
  readonly from?: string;
}

export function runFolderOf(folder: string): string | undefined {
  const runs = path.join(folder, 'state', 'runbook', 'runs');
  try {
    const [id] = readdirSync(runs).sort();
    return id === undefined ? undefined : path.join(runs, id);
  } catch {
    return undefined;
  }
}

/** The options that name the world of a new run. */
export function where({ seed, from }: Pick<ChaosRun, 'seed' | 'from'>): readonly string[] {
  return from === undefined ? ['--seed', String(seed)] : ['--world', from];
}

/** Runs one process of a run: the real command, in its own home. */
export async function runProcess(run: ChaosRun, given: Process, number: number): Promise<Ended> {
  const { folder, seed, world, lane } = run;
  const left = given.after === undefined ? undefined : runFolderOf(folder);
  if (left !== undefined && given.after !== undefined)
    await lane.wait({ runFolder: left, seed, ms: given.after });
  mkdirSync(folder, { recursive: true });
  const file = path.join(folder, `script-${number}.json`);
  const begins = given.verb === 'exec' && run.from === undefined;
  const script: SandboxScript = {
    ...(begins ? { world } : {}),
    strikes: given.strikes ?? [],
    count: path.join(folder, `count-${number}.json`),
  };
  writeFileSync(file, JSON.stringify(script));
  const args =
    given.verb === 'exec'
      ? ['exec', 'mek-rotation', '--sandbox', ...where(run), '--yes', '--output', 'plain']
      : [given.verb, 'last', '--yes', '--output', 'plain'];
  const answer = await lane.program({
    args,
    folder,
    env: {
      XDG_STATE_HOME: path.join(folder, 'state'),
      RUNBOOK_SANDBOX_SCRIPT: file,
      ...(given.killAt === undefined ? {} : { RUNBOOK_FAILPOINT: String(given.killAt) }),
    },
  });
  const { verb } = given;
  return answer === undefined
    ? { verb, code: undefined, stderr: '', stdout: '' }
    : { verb, code: answer.code, stderr: answer.stderr, stdout: answer.stdout };
}

export interface Counted {
  readonly calls: number;
  readonly changes: readonly CountedChange[];
}

export function countOf(run: ChaosRun, number: number): Counted {
  return JSON.parse(readFileSync(path.join(run.folder, `count-${number}.json`), 'utf8'));
}

export async function judgeRun(run: ChaosRun, code: number | undefined): Promise<Verdict | undefined> {
  const runFolder = runFolderOf(run.folder);
  if (runFolder === undefined) return undefined;
  const { seed, lane } = run;
  return await lane.judge({ runFolder, seed, code });
}
