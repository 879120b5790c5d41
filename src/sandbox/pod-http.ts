import { kinds } from '../services/kubernetes.ts';
import { answerConsumer } from './consumers/http.ts';
import { find, keyOf } from './kubelet/containers.ts';
import type { ContainerRuntime } from './kubelet/runtime.ts';
import type { Machine } from './machine.ts';
import { metricsText } from './metrics.ts';
import { answerNats } from './nats/monitor.ts';
import type { Container, Pod } from './objects.ts';
import { answerTroubledBao } from './openbao/troubled.ts';
import type { PodAnswer, PodPort, PodRequest } from './pod-port.ts';
import type { World } from './world.ts';

/** Ports that speak something else than HTTP. */
const OTHER_PROTOCOLS = new Set(['grpc', 'worker', 'cql', 'intra', 'nats', 'cluster', 'https-internal']);

interface Listener {
  readonly pod: Pod;
  readonly container: ContainerRuntime;
  readonly spec: Container;
  readonly portName: string;
}

function listener(world: World, target: PodPort): Listener | undefined {
  const pod = world.store.get<Pod>(kinds.pods, target.namespace, target.pod);
  const running = pod === undefined ? undefined : find(world, keyOf(pod));
  for (const spec of pod?.spec.containers ?? []) {
    const port = spec.ports?.find(({ containerPort }) => containerPort === target.port);
    const container = running?.runtime.containers.find(({ name, init }) => name === spec.name && !init);
    const alive =
      container?.run !== undefined && container.run.finished === undefined && container.waiting === undefined;
    if (pod !== undefined && port !== undefined && container !== undefined && alive)
      return { pod, container, spec, portName: port.name ?? '' };
  }
  return undefined;
}

/** Which run of a container listens on the port; undefined when none does. */
export function runOf(world: World, target: PodPort): string | undefined {
  return listener(world, target)?.container.run?.id;
}

function json(status: number, value: unknown): PodAnswer {
  return { status, type: 'application/json', body: JSON.stringify(value) };
}

function health(ready: boolean): PodAnswer {
  return json(ready ? 200 : 503, { status: ready ? 'UP' : 'DOWN' });
}

/** What a pod answers on one of its ports; undefined when the port speaks another protocol. */
export function answerHttp(machine: Machine, request: PodRequest): PodAnswer | undefined {
  const { world } = machine;
  machine.called();
  const found = listener(world, request);
  if (found === undefined || OTHER_PROTOCOLS.has(found.portName)) return undefined;
  const { pathname } = new URL(request.url, 'http://pod');
  if (found.spec.name === 'openbao') return answerTroubledBao(machine, request);
  const served = answerConsumer(machine, found.spec.name, request);
  if (served !== undefined) return served;
  if (request.method !== 'GET' && request.method !== 'HEAD')
    return json(405, { error: 'method not allowed' });
  if (found.spec.name === 'nats') {
    const answer = answerNats(world, found.pod, request.url);
    if (answer !== undefined) return answer;
  }
  if (pathname === '/metrics')
    return {
      status: 200,
      type: 'text/plain; version=0.0.4',
      body: metricsText(world, found.pod, found.container),
    };
  const known =
    /^\/(?:health|healthz|readyz|livez)(?:\/(?:readiness|liveness|ready))?$|^\/(?:actuator|admin)\/health(?:\/(?:readiness|liveness))?$/;
  if (known.test(pathname)) return health(found.container.ready || /live/.test(pathname));
  return json(404, { error: 'not found' });
}
