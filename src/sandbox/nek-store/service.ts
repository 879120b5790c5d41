import { KubernetesError, type KubernetesReader, kinds } from '../../services/kubernetes.ts';
import { placeOf } from '../../services/kubernetes-paths.ts';
import {
  type NekSession,
  NekStoreError,
  type NekStoreTarget,
  type NekStoreWriter,
} from '../../services/nek-store.ts';
import { type Caller, permit } from '../connection.ts';
import type { Machine } from '../machine.ts';
import { cassandraCredentials, KEYSPACES } from '../mek/seed.ts';
import { nodesOf } from './nodes.ts';
import { createSession } from './session.ts';

/** Time to reach every node and to log in, in virtual milliseconds. */
export const CONNECT = 150;
const DATACENTER = 'ncp';
const NAME = /^\w{1,48}$/;

function refused(message: string, reason: string, retryable = false, cause?: unknown): NekStoreError {
  return new NekStoreError(message, { reason, outcome: 'not-applied', retryable, cause });
}

/** Pods of the cluster, asked of the API server, and a way to each. */
export async function reach(
  machine: Machine,
  given: { readonly kubernetes: Pick<KubernetesReader, 'list'>; readonly caller: Caller },
  target: Pick<NekStoreTarget, 'namespace' | 'selector'>,
): Promise<void> {
  const { namespace, selector } = target;
  try {
    const pods = await given.kubernetes.list(kinds.pods, { namespace, labelSelector: selector });
    for (const { metadata } of pods)
      permit(machine, given.caller, {
        asked: {
          verb: 'create',
          group: '',
          resource: 'pods/portforward',
          namespace,
          name: metadata.name,
        },
        place: placeOf('reach port 9042 of', { kind: kinds.pods, namespace, name: metadata.name }, false),
      });
  } catch (failure) {
    if (!(failure instanceof KubernetesError)) throw failure;
    throw refused(
      `Cannot find Cassandra's pods: ${failure.message}`,
      failure.status === 403 ? 'forbidden' : 'unreachable',
      failure.retryable,
      failure,
    );
  }
  const nodes = nodesOf(machine.world, target);
  if (nodes.length === 0) throw refused(`No Cassandra pod in ${namespace} fits ${selector}.`, 'unreachable');
  if (!nodes.some(({ up }) => up))
    throw refused(`None of ${nodes.length} Cassandra pods in ${namespace} answers.`, 'unreachable', true);
}

/** The role that logs in: the keyspace that it may use. */
function logIn(machine: Machine, target: NekStoreTarget): string {
  const where = `Cassandra in ${target.namespace}`;
  if (target.datacenter !== DATACENTER)
    throw refused(
      `${where} has no node in datacenter ${target.datacenter}, only in ${DATACENTER}.`,
      'refused',
    );
  if (!NAME.test(target.keyspace)) throw refused(`${where}: that is no name of a keyspace.`, 'refused');
  const username = target.username.revealText((text) => text);
  const password = target.password.revealText((text) => text);
  const keyspace = KEYSPACES.find((known) => {
    const role = cassandraCredentials(machine.world.seed, known);
    return role.username === username && role.password === password;
  });
  if (keyspace === undefined)
    throw refused(`${where} refused the user name or the password.`, 'unauthenticated');
  return keyspace;
}

/** The simulated Cassandra cluster behind the interface of the namespace key store. */
export function sandboxNekStore(
  machine: Machine,
  kubernetes: Pick<KubernetesReader, 'list'>,
  caller: Caller,
): NekStoreWriter {
  return {
    open: async (target, signal): Promise<NekSession> => {
      machine.clock.touch();
      await machine.clock.sleep(CONNECT, signal);
      if (signal.aborted) throw refused('Cancelled before Cassandra was reached.', 'timeout', true);
      await reach(machine, { kubernetes, caller }, target);
      return createSession(machine, { target, instance: caller.instance, may: logIn(machine, target) });
    },
  };
}
