import type { ReadContext, RunContext } from '../../engine/step-type.ts';

// How long a server may still work on a request whose answer was lost.
const mayStillLand = 10_000;
const name = 'writes';

/** Before a write is sent, durably: after a crash nobody else knows that it may be on its way. */
export async function noteSent(ctx: RunContext, cas: number): Promise<void> {
  await ctx.keep(name, line(`sent ${cas} ${ctx.services.clock.now()}`));
}

/** The server has answered, whatever it said. */
export async function noteAnswered(ctx: RunContext): Promise<void> {
  await ctx.keep(name, line('answered'));
}

/** An undo left a key where it is, for a reason that no repetition changes. */
export async function noteKept(ctx: RunContext, why: string): Promise<void> {
  await ctx.keep(name, line(`kept ${why.replaceAll('\n', ' ')}`));
}

/** Whether a write of this step that replaces version `cas` got no answer and may still arrive. */
export async function mayBeOnItsWay(ctx: ReadContext, cas: number): Promise<boolean> {
  const last = (await lines(ctx)).at(-1) ?? '';
  const [, version, sent] = /^sent (\d+) (\d+)$/.exec(last) ?? [];
  if (version === undefined || Number(version) !== cas) return false;
  const age = ctx.services.clock.now() - Number(sent);
  return age >= 0 && age < mayStillLand;
}

/** Whether this step has written over a version newer than this one: its undo, when its own write replaced that one. */
export async function hasWrittenSince(ctx: ReadContext, version: number): Promise<boolean> {
  return (await lines(ctx)).some((text) => Number(/^sent (\d+) /.exec(text)?.[1] ?? 0) > version);
}

/** Why the undo left a key where it is; undefined when it did not. */
export async function keptBecause(ctx: ReadContext): Promise<string | undefined> {
  const last = (await lines(ctx)).findLast((text) => text.startsWith('kept '));
  return last?.slice('kept '.length);
}

async function lines(ctx: ReadContext): Promise<readonly string[]> {
  const bytes = await ctx.kept(name);
  if (bytes === undefined) return [];
  // A line that a crash cut short was never answered for.
  return new TextDecoder().decode(bytes).split('\n').slice(0, -1);
}

function line(text: string): Uint8Array {
  return new TextEncoder().encode(`${text}\n`);
}
