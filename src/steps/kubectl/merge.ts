/**
 * Every value of several streams as it comes, with the index of its stream. Ends when one of them ends or fails;
 * the caller aborts the signal that the streams were made with to let go of the others.
 */
export async function* merge<T>(
  streams: readonly AsyncIterable<T>[],
): AsyncGenerator<{ readonly from: number; readonly value: T }> {
  const iterators = streams.map((stream) => stream[Symbol.asyncIterator]());
  const pending = new Map<number, Promise<{ readonly from: number; readonly result: IteratorResult<T> }>>();
  const ask = (from: number) => {
    const iterator = iterators[from];
    if (iterator === undefined) return;
    const next = iterator.next().then((result) => ({ from, result }));
    // After the caller has stopped nobody awaits it any more.
    next.catch(() => undefined);
    pending.set(from, next);
  };
  for (const from of iterators.keys()) ask(from);
  while (pending.size > 0) {
    const { from, result } = await Promise.race(pending.values());
    if (result.done === true) return;
    yield { from, value: result.value };
    ask(from);
  }
}
