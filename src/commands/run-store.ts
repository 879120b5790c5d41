import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import type { Session } from '../engine/run/event.ts';
import { listRuns, type RunSummary } from '../engine/run/list-runs.ts';
import { isRunId, RunFolderError, readRun, type StoredRun } from '../engine/run/run-folder.ts';
import { exitCodes } from '../exit-code.ts';
import { identify, isAlive } from '../services/process-identity.ts';
import { CommandError, type Environment, type Options, UsageError } from './command.ts';
import { textOption } from './world.ts';

export const stateOption = {
  flags: '--state-dir <folder>',
  description: 'where runs are kept, instead of $XDG_STATE_HOME/runbook',
} as const;

/** The folder that holds a folder for each run. */
export function runsFolder(options: Options, environment: Pick<Environment, 'env' | 'home' | 'cwd'>): string {
  const asked = textOption(options, 'stateDir');
  if (asked !== undefined) return path.join(path.resolve(environment.cwd, asked), 'runs');
  const { XDG_STATE_HOME } = environment.env;
  return path.join(
    XDG_STATE_HOME === undefined || !path.isAbsolute(XDG_STATE_HOME)
      ? path.join(environment.home, '.local', 'state')
      : XDG_STATE_HOME,
    'runbook',
    'runs',
  );
}

export function listRunIds(environment: Environment): readonly string[] {
  const folder = runsFolder({}, environment);
  return existsSync(folder) ? readdirSync(folder).filter(isRunId) : [];
}

export function viewer(environment: Environment) {
  return { host: environment.host, isAlive };
}

/** This process, as the journal names it. `user`: what the API server calls us. */
export function sessionOf(environment: Environment, user: string | undefined): Session {
  const { startTime, bootId } = identify(environment.pid);
  return {
    actor: { user, osUser: environment.osUser, host: environment.host },
    pid: environment.pid,
    startTime,
    bootId,
    tool: environment.version,
  };
}

/** A run by its id, or by the beginning of it; 'last' is the newest. */
export function findRun(asked: string, options: Options, environment: Environment): string {
  const all = listRuns(runsFolder(options, environment), viewer(environment));
  const matching =
    asked === 'last' ? all.slice(0, 1) : all.filter(({ id }) => id === asked || id.startsWith(asked));
  const exact = matching.find(({ id }) => id === asked);
  const [only, second] = exact === undefined ? matching : [exact];
  if (only === undefined)
    throw new UsageError(
      `there is no run '${asked}'`,
      `'runbook runs' lists them; --state-dir names another place`,
    );
  if (second !== undefined)
    throw new UsageError(
      `'${asked}' begins the ids of ${matching.length} runs: ${matching.map(({ id }) => id).join(', ')}`,
    );
  return only.id;
}

export function loadRun(asked: string, options: Options, environment: Environment): StoredRun {
  const id = findRun(asked, options, environment);
  try {
    return readRun(runsFolder(options, environment), id);
  } catch (error) {
    if (error instanceof RunFolderError) throw new CommandError(exitCodes.journal, error.message, error.hint);
    throw error;
  }
}

/** 'done', 'failed (1)', 'running', 'stopped': where a run stands, in a word. */
export function standing({ last, owner, problem }: RunSummary): string {
  if (owner !== undefined) return 'running';
  if (problem !== undefined) return 'damaged';
  if (last?.type === 'run-finished')
    return last.outcome === 'done' ? 'done' : `${last.outcome} (exit ${last.exitCode})`;
  return 'stopped';
}
