import {
  type ExecRequest,
  type ExecResult,
  KubernetesError,
  type KubernetesReader,
  type KubernetesWriter,
  kinds,
} from '../services/kubernetes.ts';
import { answerError, type CallPlace } from '../services/kubernetes-errors.ts';
import { objectPath, placeOf } from '../services/kubernetes-paths.ts';
import { run } from './commands.ts';
import { type Caller, permit, requireServer } from './connection.ts';
import { type ExecOutcome, leavesNoTrace } from './exec.ts';
import type { Machine } from './machine.ts';

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

/** Commands in simulated containers. */
export function sandboxExec(
  machine: Machine,
  objects: Pick<KubernetesReader, 'get'>,
  caller: Caller,
): Pick<KubernetesWriter, 'exec' | 'execRead'> {
  const start = (request: ExecRequest, place: CallPlace): ExecOutcome => {
    const { namespace, pod, container, command } = request;
    const exec = { namespace, pod, container, command };
    const stdin = request.stdin === undefined ? {} : { stdin: Buffer.from(request.stdin).toString('utf8') };
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
    const { namespace, pod: name } = request;
    const asked = { verb: 'create', group: '', resource: 'pods/exec', namespace, name };
    permit(machine, caller, { asked, place });
    const outcome = start(request, place);
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
    const lost = given.write && machine.faults.take(caller.instance, 'answer') !== undefined;
    if (lost) throw lostExec(place, 'the connection ended before the exit code came');
    return { exitCode: outcome.exitCode, stdout: outcome.stdout, stderr: outcome.stderr };
  };
  return {
    exec: (request, signal) => execute(request, { signal, write: true }),
    execRead: (request, signal) => execute(request, { signal, write: false }),
  };
}
