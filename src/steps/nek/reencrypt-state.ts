import type { ReadContext, RunContext } from '../../engine/step-type.ts';
import { StepError } from '../../engine/step-type.ts';
import type { NekReencryptWith } from '../../generated/types.ts';
import type { NekWorld } from './open.ts';

/** What `capture` found. */
export interface ReencryptState {
  /** The master key that everything is to be under. */
  readonly kid: string;
  readonly keys: number;
  readonly rows: number;
  readonly remaining: number;
}

/** Wrapping with a key that is not the active one is right only when that is meant. */
export function requireActive(
  { document, kid }: NekWorld<unknown>,
  { allowInactive }: Pick<NekReencryptWith, 'allowInactive'>,
): void {
  if (document.currentKid === kid || allowInactive === true) return;
  throw new StepError('kid-inactive', `${document.currentKid} is the active master key, not ${kid}.`, {
    outcome: 'not-applied',
    hint: 'Make it active first (mek.activate); with allowInactive: true it is used as it is.',
  });
}

const undoneName = 'undone';

/** After an undo, until the step begins again. */
export async function wasUndone(ctx: ReadContext): Promise<boolean> {
  return (await lastLine(ctx)) === 'undone';
}

export async function noteUndone(ctx: RunContext): Promise<void> {
  await ctx.keep(undoneName, Buffer.from('undone\n'));
}

export async function noteBegun(ctx: RunContext): Promise<void> {
  if (await wasUndone(ctx)) await ctx.keep(undoneName, Buffer.from('begun again\n'));
}

async function lastLine(ctx: ReadContext): Promise<string | undefined> {
  const bytes = await ctx.kept(undoneName);
  return bytes === undefined ? undefined : Buffer.from(bytes).toString().trimEnd().split('\n').at(-1);
}
