import type { ReadContext } from '../engine/step-type.ts';

/** Awaits work of this process that no clock can see, such as WebCrypto's: simulated time must not take it for a wait. */
export async function held<T>(ctx: ReadContext, work: () => Promise<T>): Promise<T> {
  const release = ctx.services.clock.hold?.();
  try {
    return await work();
  } finally {
    release?.();
  }
}
