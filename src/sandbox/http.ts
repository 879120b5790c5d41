import { HttpError, type HttpRequest, type HttpSender } from '../services/http.ts';
import { createHttpClient } from '../services/http-fetch.ts';
import type { KubernetesReader } from '../services/kubernetes.ts';
import { kinds } from '../services/kubernetes.ts';
import type { Caller } from './connection.ts';
import { isReady } from './controllers/pods-of.ts';
import type { Machine } from './machine.ts';
import type { Pod, Thing } from './objects.ts';

type Service = Thing & {
  readonly spec: {
    readonly selector?: Readonly<Record<string, string>>;
    readonly publishNotReadyAddresses?: boolean;
    readonly ports?: readonly { readonly port: number; readonly targetPort?: number | string }[];
  };
};

/** The number of a port that a Service may call by the name which a container gave it. */
function numberOf(pod: Pod, port: number | string): number | undefined {
  if (typeof port === 'number') return port;
  const ports = pod.spec.containers.flatMap((container) => container.ports ?? []);
  return ports.find(({ name }) => name === port)?.containerPort;
}

/** 'api.nvcf', 'api.nvcf.svc', 'api.nvcf.svc.cluster.local'. */
const HOST = /^([a-z0-9-]+)\.([a-z0-9-]+)(?:\.svc(?:\.cluster\.local)?)?$/;

/** Where the cluster's DNS and Services would lead a request: a ready pod behind the Service of that name. */
function resolve(
  machine: Machine,
  { method, url }: { readonly method: string; readonly url: URL },
): NonNullable<HttpRequest['through']> {
  const { store } = machine.world;
  const fail = (why: string) =>
    new HttpError(`No answer to ${method} ${url.origin}${url.pathname}: ${why}`, { sent: false });
  const [, name = '', namespace = ''] = HOST.exec(url.hostname) ?? [];
  const service = store.get<Service>(kinds.services, namespace, name);
  if (service === undefined)
    throw fail('the name does not resolve (the sandbox knows only the Services of its cluster)');
  const number = url.port === '' ? 80 : Number(url.port);
  const port = service.spec.ports?.find((known) => known.port === number);
  const selector = Object.entries(service.spec.selector ?? {});
  const pods = store
    .all<Pod>(kinds.pods, namespace)
    .filter(({ metadata }) => selector.every(([key, value]) => metadata.labels?.[key] === value))
    .filter((pod) => service.spec.publishNotReadyAddresses === true || isReady(pod));
  const [pod] = pods;
  const target = pod && port && numberOf(pod, port.targetPort ?? port.port);
  if (pod === undefined || target === undefined) throw fail('the connection was refused');
  return { namespace, pod: pod.metadata.name, port: target };
}

/** HTTP inside the simulated cluster; nothing leaves this process. */
export function sandboxHttp(
  machine: Machine,
  kubernetes: Pick<KubernetesReader, 'portForward'>,
  caller: Caller,
): HttpSender {
  const client = createHttpClient(kubernetes);
  const inside = async <T>(
    request: Pick<HttpRequest, 'url' | 'through'> & { readonly method: string },
    go: (through: Pick<HttpRequest, 'through'>) => Promise<T>,
  ): Promise<T> => {
    machine.clock.touch();
    const { method, url } = request;
    const plain = request.through === undefined && URL.canParse(url);
    const through = plain ? { through: resolve(machine, { method, url: new URL(url) }) } : {};
    const release = machine.clock.hold();
    try {
      return await go(through);
    } finally {
      release();
    }
  };
  return {
    request: (request, signal) =>
      inside(request, (through) => client.request({ ...request, ...through }, signal)),
    send: async (request, signal) => {
      const answer = await inside(request, (through) => client.send({ ...request, ...through }, signal));
      if (machine.faults.take(caller.instance, 'answer') === undefined) return answer;
      const { origin, pathname } = new URL(request.url);
      throw new HttpError(`No answer to ${request.method} ${origin}${pathname}: the connection broke`);
    },
  };
}
