/** Who waits for a signal: one listener on it for all, since a signal warns of more than ten. */
const waiting = new WeakMap<AbortSignal, Set<() => void>>();

/** The work, or an error as soon as the signal aborts; what the work comes to then is not waited for. */
export function orAbort<T>(work: Promise<T>, signal: AbortSignal, error: () => Error): Promise<T> {
  if (signal.aborted) {
    work.catch(() => undefined);
    return Promise.reject(error());
  }
  return new Promise((resolve, reject) => {
    const all = listeners(signal);
    const stop = () => reject(error());
    all.add(stop);
    work.then(resolve, reject).finally(() => all.delete(stop));
  });
}

function listeners(signal: AbortSignal): Set<() => void> {
  const known = waiting.get(signal);
  if (known !== undefined) return known;
  const all = new Set<() => void>();
  waiting.set(signal, all);
  signal.addEventListener(
    'abort',
    () => {
      for (const stop of [...all]) stop();
    },
    { once: true },
  );
  return all;
}
