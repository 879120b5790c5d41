import * as fs from 'node:fs';
import path from 'node:path';
import { parsePlan, serializePlan } from '../plan/artefact.ts';
import type { Plan } from '../plan/plan.ts';
import type { RunEvent } from './event.ts';
import { evolve } from './evolve.ts';
import { journalName, strange } from './journal.ts';
import { type ReadJournal, readJournal } from './journal-read.ts';
import { initialState, type RunState } from './state.ts';

/** A file of the runbook as it was planned. */
export interface RunbookFile {
  readonly path: string;
  readonly text: string;
}

/** Everything a run folder says. */
export interface StoredRun {
  readonly id: string;
  readonly folder: string;
  readonly plan: Plan;
  readonly events: readonly RunEvent[];
  readonly state: RunState;
  readonly journal: ReadJournal;
}

/** The folder is not what this program would have made of it. */
export class RunFolderError extends Error {
  readonly hint: string | undefined;

  constructor(message: string, hint?: string) {
    super(message);
    this.name = 'RunFolderError';
    this.hint = hint;
  }
}

/** A run's id is a folder's name: nothing that could lead elsewhere. */
export function isRunId(text: string): boolean {
  return /^[a-z0-9][a-z0-9-]{0,62}$/i.test(text);
}

export function runFolder(runs: string, id: string): string {
  if (!isRunId(id)) throw new RunFolderError(`${JSON.stringify(id)} is no run id`);
  return path.join(runs, id);
}

/** A new private folder with the plan and the runbook in it, durable before anything else happens. */
export function createRunFolder(
  runs: string,
  run: { readonly id: string; readonly plan: Plan; readonly files: readonly RunbookFile[] },
): string {
  fs.mkdirSync(runs, { recursive: true, mode: 0o700 });
  mustBePrivate(runs);
  const folder = runFolder(runs, run.id);
  try {
    fs.mkdirSync(folder, { mode: 0o700 });
  } catch (thrown) {
    if (thrown instanceof Error && 'code' in thrown && thrown.code === 'EEXIST')
      throw new RunFolderError(`there is a run "${run.id}" already`);
    throw thrown;
  }
  writeDurably(path.join(folder, 'plan.json'), serializePlan(run.plan));
  const sources = path.join(folder, 'runbook');
  fs.mkdirSync(sources, { mode: 0o700 });
  for (const [index, file] of run.files.entries()) {
    const name = `${index}-${path.basename(file.path).replace(/[^\w.-]/g, '_')}`;
    writeDurably(path.join(sources, name), file.text);
  }
  for (const directory of [sources, folder, runs]) syncDirectory(directory);
  return folder;
}

/** What its journal says, without its plan. Throws `RunFolderError` when there is no run. */
export function readRunJournal(runs: string, id: string): ReadJournal {
  const folder = runFolder(runs, id);
  if (!fs.existsSync(path.join(folder, journalName)))
    throw new RunFolderError(`there is no run "${id}"`, 'see "runbook runs"');
  mustBePrivate(folder);
  return readJournal(readPrivate(path.join(folder, journalName)), { run: id, folder });
}

/** Reads and folds; repairs nothing. Throws `RunFolderError` when there is no run, or its plan is damaged. */
export function readRun(runs: string, id: string): StoredRun {
  const folder = runFolder(runs, id);
  const journal = readRunJournal(runs, id);
  const plan = readPlan(folder);
  const state = journal.events.reduce(evolve, initialState);
  if (state.planDigest !== '' && state.planDigest !== plan.digest)
    throw new RunFolderError(`the plan of run "${id}" is not the one that its journal was begun with`);
  return { id, folder, plan, events: journal.events, state, journal };
}

/** The runbook's files as they were planned, the document first. */
export function readRunbookFiles(folder: string): readonly RunbookFile[] {
  const sources = path.join(folder, 'runbook');
  const order = (name: string) => Number.parseInt(name, 10);
  return fs
    .readdirSync(sources)
    .sort((one, other) => order(one) - order(other))
    .map((name) => ({
      path: name.replace(/^[0-9]+-/, ''),
      text: fs.readFileSync(path.join(sources, name), 'utf8'),
    }));
}

function readPlan(folder: string): Plan {
  const parsed = parsePlan(fs.readFileSync(path.join(folder, 'plan.json'), 'utf8'));
  if (parsed.ok) return parsed.plan;
  throw new RunFolderError(`the plan in ${folder} cannot be read: ${parsed.message}`, parsed.hint);
}

/** Keeps the bytes of a torn tail aside and cuts them off; returns the name of the file that holds them. */
export function cutTornTail(folder: string, journal: ReadJournal): string {
  const file = path.join(folder, journalName);
  const bytes = fs.readFileSync(file).subarray(journal.end.size);
  const kept = `journal.${journal.end.size}.torn`;
  const target = path.join(folder, kept);
  // A crash during an earlier repair may have left it behind.
  fs.rmSync(target, { force: true });
  writeDurably(target, bytes);
  const descriptor = fs.openSync(file, fs.constants.O_RDWR | fs.constants.O_NOFOLLOW);
  try {
    fs.ftruncateSync(descriptor, journal.end.size);
    fs.fsyncSync(descriptor);
  } finally {
    fs.closeSync(descriptor);
  }
  syncDirectory(folder);
  return kept;
}

function readPrivate(file: string): Buffer {
  const descriptor = fs.openSync(file, fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW);
  try {
    const problem = strange(fs.fstatSync(descriptor));
    if (problem !== undefined) throw new RunFolderError(`${file} ${problem}`);
    return fs.readFileSync(descriptor);
  } finally {
    fs.closeSync(descriptor);
  }
}

function mustBePrivate(folder: string): void {
  const stat = fs.lstatSync(folder);
  if (!stat.isDirectory()) throw new RunFolderError(`${folder} is no folder`);
  if ((stat.mode & 0o022) !== 0)
    throw new RunFolderError(`others may write to ${folder}`, `chmod 700 ${folder}`);
}

function writeDurably(file: string, content: string | Uint8Array): void {
  const descriptor = fs.openSync(file, 'wx', 0o600);
  try {
    fs.writeFileSync(descriptor, content);
    fs.fsyncSync(descriptor);
  } finally {
    fs.closeSync(descriptor);
  }
}

function syncDirectory(folder: string): void {
  const descriptor = fs.openSync(folder, fs.constants.O_RDONLY | fs.constants.O_DIRECTORY);
  try {
    fs.fsyncSync(descriptor);
  } finally {
    fs.closeSync(descriptor);
  }
}
