import type { Clock } from '../../services/clock.ts';
import type { KubernetesObject, KubernetesWriter } from '../../services/kubernetes.ts';
import type { Actor } from './event.ts';
import {
  errorText,
  isConflict,
  type LeaseHolder,
  leaseManifest,
  leaseName,
  leaseRef,
  readLease,
  takePatch,
  wasGone,
} from './lease.ts';
import { LockedError, LockLostError, type RunLock } from './lock.ts';

export interface LeaseLockOptions {
  readonly kubernetes: KubernetesWriter;
  readonly clock: Clock;
  readonly namespace: string;
  /** Full lock names, as the plan has them. */
  readonly locks: readonly string[];
  readonly run: string;
  readonly actor: Actor;
  /** The run came from another machine: its own Lease is only taken over once it has been quiet. */
  readonly adopt?: boolean;
  /** Milliseconds without a renewal after which others may take over. */
  readonly duration?: number;
  /** Tells a human what is being waited for. */
  readonly notify?: (text: string) => void;
}

const standardDuration = 60_000;

/** One Lease for each lock, renewed while the run goes on. Works against the real API and the sandbox alike. */
export function createLeaseLock(options: LeaseLockOptions): RunLock {
  return new LeaseLock(options);
}

interface Held {
  readonly lock: string;
  resourceVersion: string;
  /** On the monotonic clock, taken before the request that renewed it was sent. */
  renewedAt: number;
  lost: string | undefined;
}

class LeaseLock implements RunLock {
  readonly #options: LeaseLockOptions;
  readonly #duration: number;
  readonly #held = new Map<string, Held>();
  #ended = new AbortController();
  #head = '';
  #queue: Promise<void> = Promise.resolve();

  constructor(options: LeaseLockOptions) {
    this.#options = options;
    this.#duration = options.duration ?? standardDuration;
  }

  async acquire(signal: AbortSignal): Promise<void> {
    // Always in the same order, so that two runs cannot wait for each other.
    const locks = [...new Set(this.#options.locks)].sort();
    try {
      for (const lock of locks) {
        if (signal.aborted) break;
        await this.#take(lock, signal);
      }
    } catch (thrown) {
      // What stops the run is the lock that was refused, not one that stays behind.
      await this.release().catch(() => false);
      throw thrown;
    }
    if (signal.aborted) await this.release();
    else if (this.#held.size > 0) void this.#renewals(this.#ended.signal);
  }

  async assertHeld(): Promise<void> {
    for (const lock of this.#options.locks) {
      const held = this.#held.get(lock);
      if (held === undefined) throw new LockLostError(lock, 'it is not held');
      if (held.lost === undefined && !this.#young(held)) await this.#renew(held);
      if (held.lost !== undefined) throw new LockLostError(lock, held.lost);
      if (!this.#young(held))
        throw new LockLostError(lock, 'it could not be renewed in time: the API server does not answer');
    }
  }

  async release(): Promise<boolean> {
    this.#stop();
    return this.#giveUp('released');
  }

  async keep(): Promise<void> {
    this.#stop();
    await this.#giveUp('waiting');
  }

  head(seq: number, hash: string): void {
    this.#head = `${seq}:${hash}`;
  }

  async #giveUp(state: 'released' | 'waiting'): Promise<boolean> {
    const all = [...this.#held.values()].filter((held) => held.lost === undefined);
    this.#held.clear();
    const failures: unknown[] = [];
    for (const held of all) await this.#patch(held, state).catch((thrown: unknown) => failures.push(thrown));
    if (failures.length > 0) throw failures[0];
    return all.length > 0;
  }

  #stop(): void {
    this.#ended.abort();
    this.#ended = new AbortController();
  }

  #young(held: Held): boolean {
    // A fifth is kept as a margin for a request that is on its way.
    return this.#options.clock.monotonic() - held.renewedAt < this.#duration * 0.8;
  }

  #holder(): LeaseHolder {
    const { run, actor } = this.#options;
    return { run, actor, duration: this.#duration, head: this.#head, now: this.#options.clock.now() };
  }

  async #take(lock: string, signal: AbortSignal): Promise<void> {
    const { kubernetes, clock, namespace } = this.#options;
    for (;;) {
      const before = clock.monotonic();
      const found = await kubernetes.get(leaseRef(namespace, lock));
      try {
        const taken =
          found === undefined
            ? await kubernetes.create(leaseManifest(namespace, lock, this.#holder()))
            : await this.#takeOver(lock, found, signal);
        if (taken === undefined) return;
        this.#held.set(lock, {
          lock,
          resourceVersion: taken.metadata.resourceVersion,
          renewedAt: before,
          lost: undefined,
        });
        return;
      } catch (thrown) {
        // Somebody was faster: look again at who it is.
        if (!isConflict(thrown)) throw thrown;
      }
    }
  }

  async #takeOver(
    lock: string,
    found: KubernetesObject,
    signal: AbortSignal,
  ): Promise<KubernetesObject | undefined> {
    const { kubernetes, namespace, run, adopt } = this.#options;
    const lease = readLease(found);
    if (lease.lock !== undefined && lease.lock !== lock)
      throw new LockedError(lock, `the Lease ${leaseName(lock)} belongs to another lock, "${lease.lock}"`);
    const own = lease.run === run && adopt !== true;
    if (lease.holder !== '' && !own) {
      if (lease.waiting && lease.run !== run)
        throw new LockedError(lock, this.#lockedText(lock, found, 'waits for a human or a time'));
      const quiet = await this.#isQuiet(lock, found, signal);
      if (signal.aborted) return undefined;
      if (!quiet) throw new LockedError(lock, this.#lockedText(lock, found, 'is at work'));
    }
    return kubernetes.patch(leaseRef(namespace, lock), takePatch(found, lock, this.#holder()));
  }

  /** Judged by watching that nothing changes for as long as the holder promised to renew in; clocks are never compared. */
  async #isQuiet(lock: string, found: KubernetesObject, signal: AbortSignal): Promise<boolean> {
    const { kubernetes, clock, namespace, notify } = this.#options;
    const lease = readLease(found);
    notify?.(`${this.#lockedText(lock, found, 'holds it')}: watching whether that run is still alive`);
    const since = clock.monotonic();
    while (clock.monotonic() - since < lease.duration && !signal.aborted) {
      await clock.sleep(Math.min(2000, lease.duration / 10), signal);
      const now = await kubernetes.get(leaseRef(namespace, lock));
      if (now === undefined) return true;
      if (now.metadata.resourceVersion !== found.metadata.resourceVersion) return false;
    }
    return true;
  }

  #lockedText(lock: string, found: KubernetesObject, doing: string): string {
    const lease = readLease(found);
    return `the lock ${lock} is held by run ${lease.run} (${lease.holder}), which ${doing}; taken ${lease.acquired}, last renewed ${lease.renewed}`;
  }

  async #renewals(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#options.clock.sleep(this.#duration / 4, signal);
      for (const held of this.#held.values())
        if (!signal.aborted && held.lost === undefined) await this.#renew(held);
    }
  }

  /** Never throws: a lock that grows too old is noticed before the next effect. */
  async #renew(held: Held): Promise<void> {
    try {
      await this.#patch(held, 'running');
    } catch (thrown) {
      if (isConflict(thrown)) await this.#lookAgain(held);
      else if (wasGone(thrown)) held.lost = 'its Lease was deleted';
      else this.#options.notify?.(`the lock ${held.lock} was not renewed: ${errorText(thrown)}`);
    }
  }

  // The Lease was changed by somebody; it is lost only when it is not ours any more.
  async #lookAgain(held: Held): Promise<void> {
    const { kubernetes, namespace, run } = this.#options;
    try {
      const found = await kubernetes.get(leaseRef(namespace, held.lock));
      if (found === undefined) held.lost = 'its Lease was deleted';
      else if (readLease(found).run !== run || readLease(found).holder === '')
        held.lost = `run ${readLease(found).run} (${readLease(found).holder}) has taken it over`;
      else {
        held.resourceVersion = found.metadata.resourceVersion;
        await this.#patch(held, 'running');
      }
    } catch (thrown) {
      this.#options.notify?.(`the lock ${held.lock} was not renewed: ${errorText(thrown)}`);
    }
  }

  /** One request at a time: a renewal that is on its way would make the next one look like somebody else's. */
  #patch(held: Held, state: 'running' | 'waiting' | 'released'): Promise<void> {
    const patched = this.#queue.then(() => this.#send(held, state));
    this.#queue = patched.catch(() => undefined);
    return patched;
  }

  async #send(held: Held, state: 'running' | 'waiting' | 'released'): Promise<void> {
    const { kubernetes, namespace, clock } = this.#options;
    // A renewal that was waiting its turn while the lock was given up.
    if (state === 'running' && !this.#held.has(held.lock)) return;
    const before = clock.monotonic();
    const renewed = await kubernetes.patch(
      leaseRef(namespace, held.lock),
      takePatch({ metadata: { resourceVersion: held.resourceVersion } }, held.lock, {
        ...this.#holder(),
        state,
      }),
    );
    held.resourceVersion = renewed.metadata.resourceVersion;
    held.renewedAt = before;
  }
}
