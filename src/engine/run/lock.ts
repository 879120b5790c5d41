/** What a run holds so that no other works on the same things. `drive` needs no more than this. */
export interface RunLock {
  /** Takes every lock, or none: throws `LockedError`. Returns early, without them, when the signal aborts. */
  acquire(signal: AbortSignal): Promise<void>;
  /** Throws `LockLostError` when it cannot be proven that all are still ours. No call to the cluster while renewals are on time. */
  assertHeld(): Promise<void>;
  /** False when there was nothing to release. */
  release(): Promise<boolean>;
  /** Stops renewing but keeps the locks, marked as waiting. */
  keep(): Promise<void>;
  /** The journal's head, told to the cluster with the next renewal. */
  head(seq: number, hash: string): void;
}

/** Another run holds a lock. */
export class LockedError extends Error {
  readonly lock: string;

  constructor(lock: string, message: string) {
    super(message);
    this.name = 'LockedError';
    this.lock = lock;
  }
}

/** A lock that was ours cannot be proven to be so any more. */
export class LockLostError extends Error {
  readonly lock: string;

  constructor(lock: string, message: string) {
    super(message);
    this.name = 'LockLostError';
    this.lock = lock;
  }
}

/** For runs that need none. */
export const noLock: RunLock = {
  acquire: async () => undefined,
  assertHeld: async () => undefined,
  release: async () => false,
  keep: async () => undefined,
  head: () => undefined,
};
