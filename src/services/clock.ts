/** The only source of time, and the only sleep. The sandbox's clock jumps. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Milliseconds on a clock that never goes back and, on Linux, counts the time a machine was suspended where it can. */
  monotonic(): number;
  /** Resolves after `ms`, or at once when the signal aborts. Any length: chunked below the 32-bit limit of timers. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
  /** Of a simulated clock alone: it stands still until the returned function is called. */
  hold?(): () => void;
}

/** Waits for work that is done in this process without a service, such as cryptography on other threads: it takes no simulated time. */
export async function computed<T>(clock: Pick<Clock, 'hold'>, work: () => Promise<T>): Promise<T> {
  const release = clock.hold?.();
  try {
    return await work();
  } finally {
    release?.();
  }
}
