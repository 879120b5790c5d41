import type { Clock } from './clock.ts';
import { KubernetesError } from './kubernetes.ts';
import type { ApiRequest, Connection } from './kubernetes-connection.ts';
import { type CallPlace, transportError } from './kubernetes-errors.ts';

/** Calls with JSON bodies. Reads are repeated over short troubles; a write is sent once. */
export interface Calls {
  read(request: ApiRequest): Promise<unknown>;
  write(request: ApiRequest): Promise<unknown>;
}

const readDelays = [250, 1000, 3000];
const longestWait = 30_000;

export function createCalls(connection: Connection, clock: Clock): Calls {
  let answered = false;

  async function once(request: ApiRequest): Promise<unknown> {
    const body = await connection.call(request);
    answered = true;
    return parseJson(body, request.place, connection.server);
  }

  async function pause(failure: KubernetesError, attempt: number, spent: number): Promise<number> {
    const delay = failure.retryAfter ?? readDelays[attempt] ?? longestWait;
    if (spent + delay > longestWait) throw failure;
    await clock.sleep(delay, new AbortController().signal);
    return delay;
  }

  return {
    read: async (request) => {
      let spent = 0;
      for (let attempt = 0; ; attempt++) {
        try {
          return await once(request);
        } catch (cause) {
          if (!(cause instanceof KubernetesError) || !isTransient(cause) || attempt >= readDelays.length)
            throw cause;
          answered ||= cause.status !== undefined;
          // An API server that never answered is more likely misconfigured than restarting: say so at once.
          if (!answered) throw cause;
          spent += await pause(cause, attempt, spent);
        }
      }
    },
    write: once,
  };
}

function isTransient(failure: KubernetesError): boolean {
  return failure.retryable && failure.reason !== 'Conflict';
}

function parseJson(body: Buffer, place: CallPlace, server: string): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    const cause = new Error(
      'the answer is no JSON; something in between may have answered for the API server',
    );
    throw transportError(place, { server, cause, sent: true });
  }
}
