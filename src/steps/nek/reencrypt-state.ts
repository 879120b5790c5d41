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
