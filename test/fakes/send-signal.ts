import type { SendSignal } from '../../src/services/process.ts';

/** What the command line lends to the process adapter. */
export const sendSignal: SendSignal = (pid, signal) => {
  try {
    return process.kill(pid, signal);
  } catch {
    return false;
  }
};
