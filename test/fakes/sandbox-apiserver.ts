import { OPERATOR } from '../../src/sandbox/authorization.ts';
import { sandboxConnection } from '../../src/sandbox/connection.ts';
import { sandboxKubernetes } from '../../src/sandbox/kubernetes.ts';
import { startMachine } from '../../src/sandbox/machine.ts';
import type { World } from '../../src/sandbox/world.ts';
import type { KubernetesWriter } from '../../src/services/kubernetes.ts';
import { AnswerError } from '../../src/services/kubernetes-errors.ts';
import { type FakeApiServer, startFakeApiServer } from './fake-apiserver.ts';

/** A simulated cluster that the program reaches as it reaches a real one: by a kubeconfig and over HTTP. */
export interface SandboxApiServer extends FakeApiServer {
  /** The cluster as its owner has it, past the HTTP server and its list of requests. */
  readonly inside: KubernetesWriter;
  readonly world: World;
  /** Lets virtual time pass. */
  pass(ms: number): Promise<void>;
}

export async function startSandboxApiServer(seed = 7): Promise<SandboxApiServer> {
  const world = { nvcaOperator: true, neks: { namespaces: 1, each: 1 } };
  const machine = startMachine({ folder: undefined, from: undefined, seed, faults: [], world });
  const caller = { instance: undefined, who: OPERATOR };
  const connection = sandboxConnection(machine, caller);
  const server = await startFakeApiServer(({ method, path, query, body, headers }) => (response) => {
    const request = {
      method: method as 'GET',
      path,
      query: Object.fromEntries(query),
      ...(body === '' ? {} : { body }),
      ...(headers['content-type'] === undefined ? {} : { contentType: headers['content-type'] }),
      place: { what: path, write: method !== 'GET', confidential: false },
    };
    const answer = (status: number, text: string | Buffer) =>
      void response.writeHead(status, { 'content-type': 'application/json' }).end(text);
    connection.call(request).then(
      (text) => answer(200, text),
      (error: unknown) => {
        const known = error instanceof AnswerError ? error : undefined;
        answer(known?.status ?? 500, JSON.stringify(known?.answer ?? { kind: 'Status', status: 'Failure' }));
      },
    );
  });
  return Object.assign(server, {
    inside: sandboxKubernetes(machine, caller),
    world: machine.world,
    pass: (ms: number) => machine.clock.sleep(ms, new AbortController().signal),
  });
}
