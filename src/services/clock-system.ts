import { closeSync, openSync, readSync } from 'node:fs';
import { performance } from 'node:perf_hooks';
import type { Clock } from './clock.ts';

/** Below the 32-bit limit of timers, beyond which they fire at once, and short enough to notice a suspend. */
const longestTimer = 3_600_000;

/** The machine's clock. */
export function createSystemClock(): Clock {
  const uptime = openUptime();
  const base = uptime === undefined ? 0 : uptime() - performance.now();
  let suspended = 0;
  const monotonic = () => {
    const running = performance.now();
    if (uptime !== undefined) {
      // Only jumps count: the uptime has a resolution of 10 ms.
      const ahead = uptime() - running - base;
      if (ahead > suspended + 100) suspended = ahead;
    }
    return running + suspended;
  };
  return {
    now: () => Date.now(),
    monotonic,
    sleep: async (ms, signal) => {
      const until = monotonic() + ms;
      for (let left = ms; left > 0 && !signal.aborted; ) {
        await timer(Math.min(left, longestTimer), signal);
        if (!signal.aborted) left = until - monotonic();
      }
    },
  };
}

function timer(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(handle);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const handle = setTimeout(done, ms);
    signal.addEventListener('abort', done, { once: true });
  });
}

/** Milliseconds since boot, suspended time included; undefined where the system does not tell (not Linux). */
function openUptime(): (() => number) | undefined {
  let descriptor: number;
  try {
    descriptor = openSync('/proc/uptime', 'r');
  } catch {
    return undefined;
  }
  const buffer = Buffer.alloc(64);
  const read = () => {
    const length = readSync(descriptor, buffer, 0, buffer.length, 0);
    return Number.parseFloat(buffer.toString('latin1', 0, length)) * 1000;
  };
  if (Number.isFinite(read())) return read;
  closeSync(descriptor);
  return undefined;
}
