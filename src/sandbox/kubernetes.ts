import type { KubernetesWriter } from '../services/kubernetes.ts';
import { askWhoAmI, createCanI, readIdentity } from '../services/kubernetes-access.ts';
import { createCalls } from '../services/kubernetes-calls.ts';
import { createObjects } from '../services/kubernetes-client.ts';
import { createDiscovery } from '../services/kubernetes-discovery.ts';
import { type Caller, sandboxConnection } from './connection.ts';
import { followObjects } from './follow.ts';
import { sandboxLogs } from './logs.ts';
import type { Machine } from './machine.ts';
import { sandboxExec } from './pod-exec.ts';
import { sandboxPortForward } from './pod-streams.ts';

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
    follow: (kind, options, signal) => followObjects({ machine, calls, caller }, { kind, options }, signal),
    logs: sandboxLogs(machine, caller),
    canI: createCanI(calls),
    whoAmI: () => askWhoAmI(calls),
    portForward: sandboxPortForward(machine, caller),
  };
}
