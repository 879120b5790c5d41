import type { ApiRequest, Connection } from '../services/kubernetes-connection.ts';
import { answerError, type CallPlace, transportError } from '../services/kubernetes-errors.ts';
import { ApiFailure } from './api-error.ts';
import { type Attributes, authorize, fits, type Who } from './authorization.ts';
import { type Outcome, run } from './commands.ts';
import type { Machine } from './machine.ts';
import { attributesOf, review, type ServerCall } from './server.ts';
import type { Trouble, World } from './world.ts';

export const SERVER = 'sandbox';

/** Whose calls these are. */
export interface Caller {
  /** The instance of a step, for the faults that are planned for it. */
  readonly instance: string | undefined;
  readonly who: Who;
}

function serverCall(request: ApiRequest): ServerCall {
  const query = Object.entries(request.query ?? {}).flatMap(([key, value]) =>
    typeof value === 'string' ? [[key, value] as const] : [],
  );
  return {
    method: request.method,
    path: request.path,
    query: Object.fromEntries(query),
    ...(request.body === undefined ? {} : { body: request.body }),
    ...(request.contentType === undefined ? {} : { contentType: request.contentType }),
  };
}

function broken(code: string): Error {
  return Object.assign(new Error(code), { code });
}

/** The trouble that is set for such a call, used up by one. */
function troubleFor(machine: Machine, asked: Attributes | undefined): Trouble | undefined {
  if (asked === undefined) return undefined;
  const index = machine.world.troubles.findIndex((trouble) => trouble.times > 0 && fits(trouble, asked));
  const trouble = machine.world.troubles[index];
  if (trouble !== undefined) machine.perform({ do: 'troubled', index });
  return trouble;
}

/** Refuses (403) what the caller may not do. */
export function permit(
  machine: Machine,
  caller: Caller,
  call: { readonly asked: Attributes; readonly place: CallPlace },
): void {
  try {
    authorize(machine.world, call.asked, caller.who);
  } catch (failure) {
    throw failure instanceof ApiFailure ? answerError(call.place, failure) : failure;
  }
}

/** Refuses while the API server is away. */
export function requireServer(machine: Machine, place: CallPlace): void {
  machine.clock.touch();
  machine.called();
  if (machine.clock.now() < machine.world.unreachableUntil)
    throw transportError(place, { server: SERVER, cause: broken('ECONNREFUSED'), sent: false });
}

function changes(call: ServerCall): boolean {
  const dry = call.query.dryRun === 'All' && !(call.method === 'DELETE' && call.body !== undefined);
  return call.method !== 'GET' && !dry && !call.path.includes('/selfsubject');
}

function tooMany(trouble: Trouble, place: CallPlace): Error {
  const status = trouble.status ?? 500;
  const reason =
    { 401: 'Unauthorized', 429: 'TooManyRequests', 503: 'ServiceUnavailable' }[status] ?? 'InternalError';
  const body = JSON.stringify({
    kind: 'Status',
    status: 'Failure',
    reason,
    message: 'simulated trouble',
    code: status,
  });
  return answerError(place, { status, body, ...(status === 429 ? { retryAfter: '1' } : {}) });
}

/** A call that leaves no trace in the world. */
function answer(world: World, call: ServerCall, caller: Caller): Outcome {
  if (!call.path.includes('/selfsubject')) return run(world, { do: 'call', call });
  return { ok: true, value: review(world, call, caller.who) };
}

/** A connection to the simulated API server: the real client's calls, errors and retries work on it unchanged. */
export function sandboxConnection(machine: Machine, caller: Caller): Connection {
  const { world } = machine;
  const unsupported = () => Promise.reject(new Error('the sandbox has no byte streams'));
  return {
    context: 'sandbox',
    server: SERVER,
    stream: unsupported,
    upgrade: unsupported,
    call: async ({ place, ...request }) => {
      requireServer(machine, place);
      const call = serverCall({ ...request, place });
      const asked = attributesOfSafely(call);
      if (asked !== undefined) permit(machine, caller, { asked, place });
      const trouble = troubleFor(machine, asked);
      if (trouble !== undefined && !trouble.applied) {
        if (trouble.status !== undefined) throw tooMany(trouble, place);
        throw transportError(place, { server: SERVER, cause: broken('ECONNRESET'), sent: place.write });
      }
      const outcome = changes(call) ? machine.perform({ do: 'call', call }) : answer(world, call, caller);
      if (!outcome.ok) throw answerError(place, outcome.failure);
      const lost = changes(call) && machine.faults.take(caller.instance, 'answer') !== undefined;
      if (trouble?.status !== undefined) throw tooMany(trouble, place);
      if (lost || trouble !== undefined)
        throw transportError(place, { server: SERVER, cause: broken('ECONNRESET'), sent: true });
      return Buffer.from(JSON.stringify(outcome.value));
    },
  };
}

function attributesOfSafely(call: ServerCall): Attributes | undefined {
  try {
    return attributesOf(call);
  } catch (failure) {
    if (failure instanceof ApiFailure) return undefined;
    throw failure;
  }
}
