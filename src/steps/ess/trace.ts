import type { ReadContext, RunContext } from '../../engine/step-type.ts';

const name = 'trace';

/** What the probe wrote down last, before or after it did it. Never the value. */
export type Trace =
  /** Nothing is there of it. */
  | { readonly at: 'nothing' }
  /** It was about to write: since then something may lie there. */
  | { readonly at: 'put'; readonly time: number; readonly hash: string }
  | { readonly at: 'done'; readonly pods: readonly string[] };

/** Durable before it returns: `put` before a secret is written, `nothing` once it is known to be gone, `done` at the end. */
export async function trace(ctx: RunContext, entry: Trace): Promise<void> {
  await ctx.keep(name, Buffer.from(`${JSON.stringify(entry)}\n`));
}

export async function lastTrace(ctx: ReadContext): Promise<Trace> {
  const lines = Buffer.from((await ctx.kept(name)) ?? [])
    .toString()
    .split('\n');
  // What follows the last line feed was cut off by a crash.
  const last = lines.at(-2);
  return last === undefined ? { at: 'nothing' } : (JSON.parse(last) as Trace);
}
