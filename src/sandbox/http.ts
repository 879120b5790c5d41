import { type HttpClient, HttpError, type HttpRequest } from '../services/http.ts';
import { createHttpClient } from '../services/http-fetch.ts';
import type { KubernetesReader } from '../services/kubernetes.ts';
import { kinds } from '../services/kubernetes.ts';
import { isReady } from './controllers/pods-of.ts';
import type { Machine } from './machine.ts';
import type { Pod, Thing } from './objects.ts';

type Service = Thing & {
  readonly spec: {
    readonly selector?: Readonly<Record<string, string>>;
    readonly publishNotReadyAddresses?: boolean;
    readonly ports?: readonly { readonly port: number; readonly targetPort?: number }[];
  };
};

/** 'api.nvcf', 'api.nvcf.svc', 'api.nvcf.svc.cluster.local'. */
const HOST = /^([a-z0-9-]+)\.([a-z0-9-]+)(?:\.svc(?:\.cluster\.local)?)?$/;

/** Where the cluster's DNS and Services would lead a request: a ready pod behind the Service of that name. */
function resolve(machine: Machine, url: URL): NonNullable<HttpRequest['through']> {
  const { store } = machine.world;
  const fail = (why: string) => new HttpError(`No answer to GET ${url.origin}${url.pathname}: ${why}`);
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
  if (pod === undefined || port === undefined) throw fail('the connection was refused');
  return { namespace, pod: pod.metadata.name, port: port.targetPort ?? port.port };
}

/** Reads over HTTP inside the simulated cluster; nothing leaves this process. */
export function sandboxHttp(machine: Machine, kubernetes: Pick<KubernetesReader, 'portForward'>): HttpClient {
  const client = createHttpClient(kubernetes);
  return {
    request: async (request, signal) => {
      machine.clock.touch();
      const plain = request.through === undefined && URL.canParse(request.url);
      const through = plain ? { through: resolve(machine, new URL(request.url)) } : {};
      const release = machine.clock.hold();
      try {
        return await client.request({ ...request, ...through }, signal);
      } finally {
        release();
      }
    },
  };
}
