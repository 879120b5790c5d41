import type { ReadContext, StepErrorOptions } from '../engine/step-type.ts';
import { StepError } from '../engine/step-type.ts';

/** A wait that ended before what it waited for: at its deadline, or because somebody stopped it. */
export function outOfTime(ctx: ReadContext, message: string, options: StepErrorOptions = {}): StepError {
  const code = ctx.services.clock.now() < ctx.deadline ? 'aborted' : 'timeout';
  return new StepError(code, message, options);
}
