import type { KubernetesWriter } from '../../services/kubernetes.ts';
import { createCalls } from '../../services/kubernetes-calls.ts';
import { createObjects } from '../../services/kubernetes-client.ts';
import type { Connection } from '../../services/kubernetes-connection.ts';
import { createDiscovery } from '../../services/kubernetes-discovery.ts';
import { type Caller, sandboxConnection } from '../connection.ts';
import type { Machine } from '../machine.ts';

export type HelmApi = Pick<KubernetesWriter, 'get' | 'list' | 'create' | 'patch' | 'delete' | 'kind'>;

/** The simulated API server as Helm calls it: under its own field manager, and out of reach of the faults planned for a step's own calls. */
export function helmApi(machine: Machine, caller: Caller): HelmApi {
  const connection = asHelm(sandboxConnection(machine, { ...caller, instance: 'helm' }));
  const calls = createCalls(connection, machine.clock);
  const discovery = createDiscovery((path, accept) =>
    calls.read({
      method: 'GET',
      path,
      ...(accept === undefined ? {} : { accept }),
      place: { what: 'ask which kinds the API server serves', write: false, confidential: false },
    }),
  );
  return { ...createObjects(calls, discovery), kind: discovery.kind };
}

function asHelm(connection: Connection): Connection {
  return {
    ...connection,
    call: (request) => {
      const { query } = request;
      if (query?.fieldManager === undefined) return connection.call(request);
      return connection.call({ ...request, query: { ...query, fieldManager: 'helm' } });
    },
  };
}
