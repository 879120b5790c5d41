import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { type ChaosRun, runFolderOf, where } from './chaos-run.ts';

export interface BackedUp {
  readonly runFolder: string;
  /** As `mek-restore-from-backup` is told of it. */
  readonly file: string;
}

export interface OtherRun {
  readonly story: readonly string[];
  readonly problems: readonly string[];
}

async function command(run: ChaosRun, name: string, given: { inputs?: readonly string[]; from?: string }) {
  const folder = path.join(run.folder, name);
  mkdirSync(folder, { recursive: true });
  const script = path.join(folder, 'script.json');
  const { seed, world } = run;
  const mended = { strikes: [{ after: 1, strike: { what: 'mend' } }] };
  writeFileSync(script, JSON.stringify(given.from === undefined ? { world } : mended));
  const inputs = (given.inputs ?? []).flatMap((input) => ['--input', input]);
  const answer = await run.lane.program({
    args: ['exec', name, '--sandbox', ...where({ seed, ...given }), '--yes', '--output', 'plain', ...inputs],
    folder,
    env: { XDG_STATE_HOME: path.join(folder, 'state'), RUNBOOK_SANDBOX_SCRIPT: script },
  });
  return { folder, answer };
}

/** Yesterday's backup: the shipped runbook for it, in the world in which everything else happens. */
export async function backUp(run: ChaosRun): Promise<BackedUp> {
  const { folder, answer } = await command(run, 'backup-openbao', {});
  const file = /^backup: (.*)$/m.exec(answer?.stdout ?? '')?.[1];
  const runFolder = runFolderOf(folder);
  if (answer?.code !== 0 || file === undefined || runFolder === undefined)
    throw new Error(`backup-openbao ended with ${answer?.code}:\n${answer?.stderr}`);
  return { runFolder, file };
}

/** Brings the keys back that somebody else destroyed, and judges the world again. */
export async function bringBack(
  run: ChaosRun,
  given: { readonly runFolder: string; readonly backup: BackedUp | undefined },
): Promise<OtherRun> {
  const { backup, runFolder } = given;
  if (backup === undefined) return { story: [], problems: ['the keys are gone, and there is no backup'] };
  const { folder, answer } = await command(run, 'mek-restore-from-backup', {
    inputs: [`file=${backup.file}`],
    from: runFolder,
  });
  const story = [`mek-restore-from-backup: ${answer?.code}`, ...(answer?.stderr.split('\n').slice(-8) ?? [])];
  const restored = runFolderOf(folder);
  if (answer?.code !== 0 || restored === undefined)
    return { story, problems: [`mek-restore-from-backup ended with ${answer?.code}`] };
  const { seed, lane } = run;
  const verdict = await lane.judge({ runFolder: restored, seed, code: answer.code, mended: true });
  return { story, problems: verdict.problems };
}

/** Another rotation in the world that a run has left: nothing of that one stands in its way. */
export async function rotateAgain(run: ChaosRun, from: string): Promise<OtherRun> {
  const { folder, answer } = await command(run, 'mek-rotation', { from });
  const story = [`another mek-rotation: ${answer?.code}`, ...(answer?.stderr.split('\n').slice(-6) ?? [])];
  const runFolder = runFolderOf(folder);
  if (answer?.code !== 0 || runFolder === undefined)
    return { story, problems: [`another mek-rotation ended with ${answer?.code}`] };
  const verdict = await run.lane.judge({ runFolder, seed: run.seed, code: answer.code });
  return { story, problems: verdict.problems.map((problem) => `after another mek-rotation: ${problem}`) };
}
