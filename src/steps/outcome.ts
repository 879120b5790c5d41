import type { JsonObject } from '../engine/json.ts';
import type { ReadContext, RunContext } from '../engine/step-type.ts';

const name = 'outcome';

/** Writes down what a run is about to return, for `observe`: some outputs (times, counts) can be seen nowhere afterwards. */
export async function keepOutcome<Outputs extends object>(
  ctx: RunContext,
  outputs: Outputs,
): Promise<Outputs> {
  await ctx.keep(name, Buffer.from(`${JSON.stringify(outputs)}\n`));
  return outputs;
}

/** The outputs of the last run that came to its end; undefined when none did. */
export async function keptOutcome(ctx: ReadContext): Promise<JsonObject | undefined> {
  const lines = Buffer.from((await ctx.kept(name)) ?? [])
    .toString()
    .split('\n');
  // What follows the last line feed was cut off by a crash.
  const last = lines.at(-2);
  return last === undefined ? undefined : (JSON.parse(last) as JsonObject);
}
