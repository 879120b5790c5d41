import { createServer, type Server } from 'node:http';
import { type Duplex, duplexPair } from 'node:stream';
import {
  type ExecRequest,
  type ExecResult,
  KubernetesError,
  type KubernetesReader,
  type KubernetesWriter,
  kinds,
} from '../services/kubernetes.ts';
import { askWhoAmI, createCanI, readIdentity } from '../services/kubernetes-access.ts';
import { createCalls } from '../services/kubernetes-calls.ts';
import { createObjects } from '../services/kubernetes-client.ts';
import { createDiscovery } from '../services/kubernetes-discovery.ts';
import { answerError, type CallPlace, transportError } from '../services/kubernetes-errors.ts';
import { objectPath, placeOf } from '../services/kubernetes-paths.ts';
import { ApiFailure, notFound } from './api-error.ts';
import { authorize } from './authorization.ts';
import { run } from './commands.ts';
import { type Caller, requireServer, SERVER, sandboxConnection } from './connection.ts';
import { type ExecOutcome, leavesNoTrace } from './exec.ts';
import { followObjects } from './follow.ts';
import { sandboxLogs } from './logs.ts';
import type { Machine } from './machine.ts';
import { answerHttp, runOf } from './pod-http.ts';

function lostExec(place: CallPlace, why: string): KubernetesError {
  return new KubernetesError(`Cannot ${place.what} to its end: ${why}. Its exit code is unknown.`, {
    reason: 'Unreachable',
    outcome: place.write ? 'unknown' : 'not-applied',
    retryable: true,
  });
}

async function requireSamePod(
  objects: Pick<KubernetesReader, 'get'>,
  request: ExecRequest,
  place: CallPlace,
): Promise<void> {
  if (request.uid === undefined) return;
  const found = await objects.get({ kind: kinds.pods, namespace: request.namespace, name: request.pod });
  if (found?.metadata.uid === request.uid) return;
  const now = found === undefined ? 'is gone' : `was replaced (uid ${found.metadata.uid})`;
  throw new KubernetesError(
    `Cannot ${place.what}: the pod ${now}; it was to be the one with uid ${request.uid}. — Look at the pods again.`,
    { reason: 'Replaced', outcome: 'not-applied', retryable: false },
  );
}

function sandboxExec(
  machine: Machine,
  objects: Pick<KubernetesReader, 'get'>,
  caller: Caller,
): Pick<KubernetesWriter, 'exec' | 'execRead'> {
  const start = (request: ExecRequest, place: CallPlace): ExecOutcome => {
    const { namespace, pod, container, command } = request;
    const exec = { namespace, pod, container, command };
    const stdin = request.stdin === undefined ? {} : { stdin: Buffer.from(request.stdin).toString('utf8') };
    authorize(machine.world, { verb: 'create', group: '', resource: 'pods/exec', namespace, name: pod });
    const outcome =
      request.stdin !== undefined || leavesNoTrace(command)
        ? run(machine.world, { do: 'exec', exec: { ...exec, ...stdin } })
        : machine.perform({ do: 'exec', exec });
    if (!outcome.ok) throw answerError(place, outcome.failure);
    return outcome.value as ExecOutcome;
  };
  const execute = async (
    request: ExecRequest,
    given: { signal: AbortSignal; write: boolean },
  ): Promise<ExecResult> => {
    const ref = { kind: kinds.pods, namespace: request.namespace, name: request.pod };
    const place = placeOf(
      `run ${request.command[0] ?? ''} in container ${request.container} of`,
      ref,
      given.write,
    );
    objectPath(ref, 'exec');
    requireServer(machine, place);
    await requireSamePod(objects, request, place);
    const outcome = refused(place, () => start(request, place));
    if (outcome.notStarted !== undefined)
      throw new KubernetesError(`Cannot ${place.what}: ${outcome.notStarted}`, {
        status: 500,
        reason: 'InternalError',
        outcome: 'not-applied',
        retryable: false,
      });
    if (outcome.ms > 0) await machine.clock.sleep(outcome.ms, given.signal);
    if (given.signal.aborted)
      throw lostExec(place, 'it was cancelled; the program may still run in the container');
    const lost =
      given.write &&
      caller.instance !== undefined &&
      machine.faults.take(caller.instance, 'answer') !== undefined;
    if (lost) throw lostExec(place, 'the connection ended before the exit code came');
    return { exitCode: outcome.exitCode, stdout: outcome.stdout, stderr: outcome.stderr };
  };
  return {
    exec: (request, signal) => execute(request, { signal, write: true }),
    execRead: (request, signal) => execute(request, { signal, write: false }),
  };
}

function refused<T>(place: CallPlace, act: () => T): T {
  try {
    return act();
  } catch (failure) {
    if (failure instanceof ApiFailure) throw answerError(place, failure);
    throw failure;
  }
}

/** HTTP servers of pods, spoken to over streams inside this process. */
function podServer(
  machine: Machine,
  target: { readonly namespace: string; readonly pod: string; readonly port: number },
): Server {
  return createServer((request, response) => {
    const token = request.headers['x-vault-token'];
    const answer = answerHttp(machine, {
      ...target,
      method: request.method ?? 'GET',
      url: request.url ?? '/',
      token: typeof token === 'string' ? token : undefined,
    });
    if (answer === undefined) {
      request.socket.destroy();
      return;
    }
    // The date of the answer is the world's, so that a run repeats.
    response.sendDate = false;
    const date = new Date(machine.clock.now()).toUTCString();
    response.writeHead(answer.status, { 'content-type': answer.type, date }).end(answer.body);
  });
}

function sandboxPortForward(machine: Machine): KubernetesReader['portForward'] {
  return async (target): Promise<Duplex> => {
    const ref = { kind: kinds.pods, namespace: target.namespace, name: target.pod };
    const place = placeOf(`reach port ${target.port} of`, ref, false);
    objectPath(ref, 'portforward');
    requireServer(machine, place);
    refused(place, () => {
      authorize(machine.world, {
        verb: 'create',
        group: '',
        resource: 'pods/portforward',
        namespace: target.namespace,
        name: target.pod,
      });
      if (machine.world.store.get(kinds.pods, target.namespace, target.pod) === undefined)
        throw notFound(kinds.pods, target.pod);
    });
    if (runOf(machine.world, target) === undefined)
      throw transportError(place, {
        server: SERVER,
        cause: Object.assign(new Error('refused'), { code: 'ECONNREFUSED' }),
        sent: false,
      });
    const [near, far] = duplexPair();
    const first = runOf(machine.world, target);
    // A stream ends with the container that it leads to, though the next pod may have the same name.
    const leave = machine.world.store.onChange(() => {
      if (runOf(machine.world, target) !== first) far.destroy();
    });
    far.once('close', leave);
    podServer(machine, target).emit('connection', far);
    return near;
  };
}

/** The simulated cluster behind the same interface, with the real client's requests, errors and retries. */
export function sandboxKubernetes(machine: Machine, caller: Caller): KubernetesWriter {
  const connection = sandboxConnection(machine, caller);
  const calls = createCalls(connection, machine.clock);
  const discovery = createDiscovery((path, accept) =>
    calls.read({
      method: 'GET',
      path,
      ...(accept === undefined ? {} : { accept }),
      place: { what: 'ask which kinds the API server serves', write: false, confidential: false },
    }),
  );
  const objects = createObjects(calls, discovery);
  return {
    ...objects,
    ...sandboxExec(machine, objects, caller),
    kind: discovery.kind,
    identity: () => readIdentity(calls, connection),
    follow: (kind, options, signal) => followObjects({ machine, calls }, { kind, options }, signal),
    logs: sandboxLogs(machine),
    canI: createCanI(calls),
    whoAmI: () => askWhoAmI(calls),
    portForward: sandboxPortForward(machine),
  };
}
