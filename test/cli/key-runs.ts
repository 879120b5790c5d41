import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect } from 'vitest';
import type { KeysOfWorld } from './key-world.ts';
import type { Finished, Rig } from './rig.ts';

/** Runs a command on the world that a folder holds. */
export function inWorld(rig: Rig, world: string, args: readonly string[], env = {}): Promise<Finished> {
  const [command = '', name = '', ...rest] = args;
  return rig.run([command, name, '--sandbox', '--world', world, ...rest], { env });
}

/** The folder of the newest run of a rig. */
export function newestRun(rig: Rig): string {
  const runs = path.join(rig.folder, 'state', 'runbook', 'runs');
  const newest = readdirSync(runs).sort().at(-1);
  if (newest === undefined) throw new Error('no run');
  return path.join(runs, newest);
}

export function outputsOf(folder: string): Readonly<Record<string, unknown>> {
  const lines = readFileSync(path.join(folder, 'journal.jsonl'), 'utf8')
    .split('\n')
    .filter((line) => line !== '');
  const events = lines.map(
    (line) => JSON.parse(line.replace(/^\d+ [0-9a-f]{64} /, '')) as { type: string; outputs?: object },
  );
  return { ...events.findLast(({ type }) => type === 'run-finished')?.outputs };
}

/** Every key of the one document is in the other, each in its own set with its own bytes. */
export function expectKept(before: KeysOfWorld, after: KeysOfWorld): void {
  expect([...after.keys]).toEqual(expect.arrayContaining([...before.keys]));
  expect([...after.privateJwks]).toEqual(expect.arrayContaining([...before.privateJwks]));
}
