import type { ReadContext, RunContext } from '../engine/step-type.ts';

const name = 'undone';

/**
 * For steps whose undo leaves something of theirs in place on purpose: `observe` cannot see that they were undone, so it is written
 * down. True after an undo, until the step begins again.
 */
export async function wasUndone(ctx: ReadContext): Promise<boolean> {
  const bytes = await ctx.kept(name);
  return Buffer.from(bytes ?? [])
    .toString()
    .endsWith('undone\n');
}

export async function noteUndone(ctx: RunContext): Promise<void> {
  await ctx.keep(name, Buffer.from('undone\n'));
}

/** Called when a run begins. */
export async function noteBegun(ctx: RunContext): Promise<void> {
  if (await wasUndone(ctx)) await ctx.keep(name, Buffer.from('begun again\n'));
}
