import * as fs from 'node:fs';
import path from 'node:path';
import type { Session } from './event.ts';

/** The process that works on a run: a pid alone is reused; a pid with its start time on a boot is not. */
export interface Owner {
  readonly pid: number;
  readonly startTime: number;
  readonly bootId: string;
  readonly host: string;
}

/** Another process works on the run. */
export class RunBusyError extends Error {
  readonly owner: Owner;

  constructor(owner: Owner) {
    super(`process ${owner.pid} on ${owner.host} is working on this run`);
    this.name = 'RunBusyError';
    this.owner = owner;
  }
}

/** The run was last worked on by another machine, where nobody here can see whether it still is. */
export class RunForeignError extends Error {
  readonly host: string;

  constructor(host: string) {
    super(`this run was last worked on by ${host}, and nothing here tells whether it still is`);
    this.name = 'RunForeignError';
    this.host = host;
  }
}

export interface Claim {
  readonly self: Owner;
  readonly isAlive: (owner: Owner) => boolean;
  /** Take over from another machine. */
  readonly adopt: boolean;
}

export function ownerOfSession(session: Session): Owner {
  const { pid, startTime, bootId, actor } = session;
  return { pid, startTime, bootId, host: actor.host };
}

/**
 * Makes this process the only one that works on a run; returns how to let go. Each owner has a numbered file of its own that is only
 * ever created whole and exclusively, so that of two processes that both find the last owner dead at most one gets in.
 */
export function claim(folder: string, by: Claim): () => void {
  const others = owners(folder);
  refuse(others, by);
  const number = 1 + Math.max(0, ...others.map((other) => other.number));
  const file = path.join(folder, `owner.${number}`);
  const draft = path.join(folder, `owner-draft.${by.self.pid}`);
  fs.writeFileSync(draft, JSON.stringify(by.self), { mode: 0o600 });
  try {
    fs.linkSync(draft, file);
  } catch (thrown) {
    if (!hasCode(thrown, 'EEXIST')) throw thrown;
    refuse(owners(folder), by);
    throw new RunBusyError(by.self);
  } finally {
    fs.rmSync(draft, { force: true });
  }
  try {
    // Somebody may have come and gone, and somebody else come, between the look and the link.
    refuse(
      owners(folder).filter((other) => other.number !== number),
      by,
    );
  } catch (thrown) {
    fs.rmSync(file, { force: true });
    throw thrown;
  }
  for (const other of others) fs.rmSync(path.join(folder, `owner.${other.number}`), { force: true });
  return () => fs.rmSync(file, { force: true });
}

/** Who works on the run now, if anybody on this machine does. */
export function currentOwner(
  folder: string,
  by: Pick<Claim, 'isAlive'> & { host: string },
): Owner | undefined {
  return owners(folder).find((other) => other.owner.host !== by.host || by.isAlive(other.owner))?.owner;
}

interface Numbered {
  readonly number: number;
  readonly owner: Owner;
}

function owners(folder: string): readonly Numbered[] {
  const found: Numbered[] = [];
  for (const name of fs.readdirSync(folder)) {
    const number = /^owner\.([1-9][0-9]*)$/.exec(name)?.[1];
    if (number === undefined) continue;
    try {
      const owner = JSON.parse(fs.readFileSync(path.join(folder, name), 'utf8')) as Owner;
      found.push({ number: Number(number), owner });
    } catch (thrown) {
      // Its owner let go in this very moment.
      if (!hasCode(thrown, 'ENOENT')) throw thrown;
    }
  }
  return found;
}

function refuse(others: readonly Numbered[], by: Claim): void {
  for (const { owner } of others) {
    if (owner.host !== by.self.host) {
      if (!by.adopt) throw new RunForeignError(owner.host);
    } else if (by.isAlive(owner)) throw new RunBusyError(owner);
  }
}

function hasCode(thrown: unknown, code: string): boolean {
  return thrown instanceof Error && 'code' in thrown && thrown.code === code;
}
