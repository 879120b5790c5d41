/** The only source of time, and the only sleep. The sandbox's clock jumps. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Milliseconds on a clock that never goes back and, on Linux, counts the time a machine was suspended where it can. */
  monotonic(): number;
  /** Resolves after `ms`, or at once when the signal aborts. Any length: chunked below the 32-bit limit of timers. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
}
