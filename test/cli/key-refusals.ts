import { readdirSync } from 'node:fs';
import path from 'node:path';
import { expect, type TestContext } from 'vitest';
import type { Sandbox } from '../../src/sandbox/open.ts';
import { documentOf } from '../sandbox/keys-rig.ts';
import { type Canary, canaryScanner } from './canaries.ts';
import { canariesOfDocument, leaksIn, placesOf } from './key-canaries.ts';
import { lookAt, prepareWorld } from './key-world.ts';
import { createRig, type Finished, type Rig } from './rig.ts';

export type Spoil = (sandbox: Sandbox) => unknown;

/** The document and every row, as they lie in the stores. */
export function stored({ inspect }: Sandbox): unknown {
  return [inspect.secret(), inspect.nekRows()];
}

/** A runbook on a world that was spoilt. Whatever comes of it, no key is shown. */
export async function onSpoilt(
  spoil: Spoil,
  { onTestFinished }: Pick<TestContext, 'onTestFinished'>,
  args: readonly string[] = ['exec', 'mek-rotation', '--yes'],
): Promise<{ readonly rig: Rig; readonly done: Finished; readonly world: string }> {
  const canaries: Canary[] = [];
  const prepare = async (sandbox: Sandbox) => {
    canaries.push(...canariesOfDocument(documentOf(sandbox)));
    await spoil(sandbox);
  };
  const world = await prepareWorld(prepare, { done: onTestFinished });
  const rig = createRig(onTestFinished);
  const [command = '', name = '', ...rest] = args;
  const done = await rig.run([command, name, '--sandbox', '--world', world, ...rest]);
  expect(done.stderr).not.toContain('internal error');
  expect(done.stderr).not.toMatch(/[^.]\.\. /);
  expect(leaksIn(placesOf(rig, [done]), canaryScanner(canaries))).toEqual([]);
  return { rig, done, world };
}

export function runsOf(rig: Rig): readonly string[] {
  const runs = path.join(rig.folder, 'state', 'runbook', 'runs');
  return readdirSync(rig.folder).includes('state') ? readdirSync(runs).map((id) => path.join(runs, id)) : [];
}

/** One line, however it was wrapped. */
export function unwrapped(text: string): string {
  return text.replace(/\s+/g, ' ');
}

/** Refused before anything was changed, with cause, place and next step; answers what was said. */
export async function expectRefused(
  spoil: Spoil,
  said: readonly string[],
  context: Pick<TestContext, 'onTestFinished'>,
): Promise<string> {
  const { rig, done, world } = await onSpoilt(spoil, context);
  expect(done.code, done.stderr).toBe(4);
  const text = unwrapped(done.stderr);
  for (const each of said) expect(text).toContain(each);
  expect(text).toMatch(/at mek-rotation\.yaml:\d+:\d+/);
  expect(text).toContain('nothing was changed');
  for (const run of runsOf(rig)) expect(lookAt(run, stored)).toEqual(lookAt(world, stored));
  return text;
}
