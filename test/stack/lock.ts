import { linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { stateFolder } from './paths.ts';
import { bootId, startTimeOf } from './processes.ts';
import { waitFor } from './shell.ts';

/** Runs `work` while no other process changes the stack; waits for its turn. */
export async function withStackLock<T>(work: () => Promise<T>): Promise<T> {
  const file = `${stateFolder()}.lock`;
  mkdirSync(path.dirname(file), { recursive: true });
  const holder = JSON.stringify({ pid: process.pid, startTime: startTimeOf(process.pid), bootId: bootId() });
  const mine = `${file}.${process.pid}`;
  writeFileSync(mine, holder);
  try {
    await waitFor(
      async () => {
        if (!holderLives(file)) rmSync(file, { force: true });
        // A hard link appears whole or not at all, unlike a file that is opened and then written.
        linkSync(mine, file);
        return true;
      },
      { what: `another process to release ${file}`, seconds: 1800, everyMs: 200 },
    );
  } finally {
    rmSync(mine, { force: true });
  }
  try {
    return await work();
  } finally {
    rmSync(file, { force: true });
  }
}

function holderLives(file: string): boolean {
  try {
    const holder = JSON.parse(readFileSync(file, 'utf8')) as {
      pid: number;
      startTime: string;
      bootId: string;
    };
    return holder.bootId === bootId() && startTimeOf(holder.pid) === holder.startTime;
  } catch {
    return false;
  }
}
