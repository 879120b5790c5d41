import { KubernetesError, type KubernetesReader, kinds } from './kubernetes.ts';
import type { Connection } from './kubernetes-connection.ts';
import { transportError } from './kubernetes-errors.ts';
import { objectPath, placeOf } from './kubernetes-paths.ts';

/** A container's log as decoded text; characters split between chunks stay whole. */
export function createLogs(connection: Connection): KubernetesReader['logs'] {
  return async function* logs({ namespace, pod }, options, signal) {
    const ref = { kind: kinds.pods, namespace, name: pod };
    const place = placeOf('read the log of', ref, false);
    if (signal.aborted) return;
    const number = (value: number | undefined) => (value === undefined ? undefined : String(value));
    const flag = (value: boolean | undefined) => (value === true ? 'true' : undefined);
    try {
      const answer = await connection.stream(
        {
          method: 'GET',
          path: objectPath(ref, 'log'),
          query: {
            container: options.container,
            follow: flag(options.follow),
            previous: flag(options.previous),
            tailLines: number(options.tailLines),
            sinceSeconds: number(options.sinceSeconds),
            limitBytes: number(options.limitBytes),
          },
          place,
        },
        signal,
      );
      const fail = (cause: unknown) =>
        transportError(place, { server: connection.server, cause, sent: true });
      yield* withoutExcuse(decode(answer, fail), place.what);
    } catch (cause) {
      if (!signal.aborted) throw cause;
    }
  };
}

/** A kubelet whose log file is gone says so in the log itself, with status 200: that is no log. */
async function* withoutExcuse(chunks: AsyncIterable<string>, what: string): AsyncGenerator<string> {
  let first = true;
  for await (const chunk of chunks) {
    if (first && /^unable to retrieve container logs for \S+\n?$/u.test(chunk)) {
      throw new KubernetesError(`Cannot ${what}: ${chunk.trim()} (the container was removed)`, {
        reason: 'NotFound',
        outcome: 'not-applied',
        retryable: true,
      });
    }
    first = false;
    yield chunk;
  }
}

async function* decode(
  answer: AsyncIterable<Buffer> & { destroy(): void },
  fail: (cause: unknown) => Error,
): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  const chunks = answer[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = await chunks.next().catch((cause: unknown) => {
        throw fail(cause);
      });
      if (next.done === true) break;
      const text = decoder.decode(next.value, { stream: true });
      if (text !== '') yield text;
    }
    const rest = decoder.decode();
    if (rest !== '') yield rest;
  } finally {
    answer.destroy();
  }
}
