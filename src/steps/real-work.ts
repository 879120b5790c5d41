import type { ReadContext } from '../engine/step-type.ts';

/** Work of this process that waits for nobody (encrypting in a thread of its own): simulated time does not pass meanwhile. */
export async function realWork<T>(ctx: ReadContext, work: () => Promise<T>): Promise<T> {
  const release = ctx.services.clock.hold?.();
  try {
    return await work();
  } finally {
    release?.();
  }
}
