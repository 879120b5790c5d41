/** Jobs at the same time, those of one key one after the other. */
export interface Lanes {
  /**
   * Resolves when the job may be considered begun: whoever adds faster than jobs end waits here. Throws what a job threw.
   * `weight`, above 0, is what it takes of the limit; one that is heavier than the limit runs alone.
   */
  add(key: string, weight: number, job: () => Promise<void>): Promise<void>;
  /** Until nothing is running. Throws what a job threw. */
  drain(): Promise<void>;
}

/** After a failure no further job begins; those that run come to their end. */
export function createLanes(limit: () => number): Lanes {
  const last = new Map<string, Promise<void>>();
  /** Weight of all jobs that have begun and not ended. */
  let load = 0;
  let failure: { readonly error: unknown } | undefined;
  let wake: () => void = () => undefined;
  const ended = () =>
    new Promise<void>((resolve) => {
      wake = resolve;
    });
  const rethrow = () => {
    if (failure !== undefined) throw failure.error;
  };
  const begin = (key: string, weight: number, job: () => Promise<void>) => {
    load += weight;
    const own: Promise<void> = (last.get(key) ?? Promise.resolve())
      .then(() => (failure === undefined ? job() : undefined))
      .catch((error: unknown) => {
        failure ??= { error };
      })
      .then(() => {
        load -= weight;
        if (last.get(key) === own) last.delete(key);
        wake();
      });
    last.set(key, own);
  };
  return {
    async add(key, weight, job) {
      while (load > 0 && load + weight > limit() && failure === undefined) await ended();
      rethrow();
      begin(key, weight, job);
    },
    async drain() {
      while (load > 0) await ended();
      rethrow();
    },
  };
}
