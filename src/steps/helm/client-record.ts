import type { Json } from '../../engine/json.ts';
import type { ReadContext, RunContext } from '../../engine/step-type.ts';
import type { ChildIdentity } from '../../services/process.ts';

const name = 'helm-clients';

/** Notes a client before anything is awaited of it: after a crash it tells whether somebody still works. */
export async function recordClient(ctx: RunContext, client: ChildIdentity): Promise<void> {
  await ctx.keep(name, new TextEncoder().encode(`${JSON.stringify(client)}\n`));
}

export interface Clients {
  /** How many this step has started. */
  readonly started: number;
  /** How the last one is. */
  readonly last: 'none' | 'alive' | 'ended' | 'unknown';
}

/** The clients that this step has started, in this process or an earlier one. */
export async function clientsOf(ctx: ReadContext): Promise<Clients> {
  const bytes = await ctx.kept(name);
  const lines = new TextDecoder()
    .decode(bytes)
    .split('\n')
    .filter((line) => line !== '');
  const last = lines.map(parse).findLast((client) => client !== undefined);
  return {
    started: lines.length,
    last: last === undefined ? (lines.length === 0 ? 'none' : 'unknown') : ctx.services.helm.client(last),
  };
}

/** A line cut off by a crash tells that a client was started, and not which. */
function parse(line: string): ChildIdentity | undefined {
  try {
    const { pid, startTime, bootId } = JSON.parse(line) as { readonly [key: string]: Json };
    if (typeof pid !== 'number' || typeof startTime !== 'number' || typeof bootId !== 'string')
      return undefined;
    return { pid, startTime, bootId };
  } catch {
    return undefined;
  }
}
