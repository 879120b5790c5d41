import type { KubernetesReader } from './kubernetes.ts';
import { kinds } from './kubernetes.ts';
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
      yield* decode(answer, (cause) =>
        transportError(place, { server: connection.server, cause, sent: true }),
      );
    } catch (cause) {
      if (!signal.aborted) throw cause;
    }
  };
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
