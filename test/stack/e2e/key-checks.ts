import { expect } from 'vitest';
import { heldKeys, lostOf, namespaceKeyRows } from './key-world.ts';
import { type Finished, type Operator, showRun, stackTraceIn } from './rig.ts';

export function expectExit({ code, stdout, stderr }: Finished, wanted: number): void {
  expect(code, `${stdout}\n${stderr}`).toBe(wanted);
  expect(stackTraceIn(`${stdout}\n${stderr}`)).toBeUndefined();
}

export async function outputsOf(operator: Operator): Promise<Record<string, unknown>> {
  const last = (await showRun(operator)).events.at(-1) as { outputs?: Record<string, unknown> } | undefined;
  return last?.outputs ?? {};
}

export async function world() {
  return { held: await heldKeys(), rows: await namespaceKeyRows() };
}

export type World = Awaited<ReturnType<typeof world>>;

/** Nothing of the first world is lost in the second: each key in its own set, each row as it was. */
export function expectKept(before: World, after: World): void {
  expect(after.held.keys).toEqual(expect.arrayContaining([...before.held.keys]));
  expect(lostOf(before.rows, after.rows)).toEqual([]);
}

/** The same where ESS promotes, which makes the first row of a namespace's key a validated one, too. */
export function expectKeptByEss(before: World, after: World): void {
  const promoted = ({ held, rows }: World): World => ({
    held,
    rows: new Map([...rows].map(([key, text]) => [key, text.replace('CREATION_VALIDATED', 'VALIDATED')])),
  });
  expectKept(promoted(before), promoted(after));
}
