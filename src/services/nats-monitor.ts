import { type HttpClient, HttpError, type HttpResponse } from './http.ts';
import {
  NatsError,
  type NatsMeta,
  type NatsPeer,
  type NatsPod,
  type NatsReader,
  type NatsServer,
  type NatsStream,
} from './nats.ts';

type Body = Readonly<Record<string, unknown>>;

const jetstream = '/jsz?meta=1&accounts=1&streams=1&config=1';

/** NATS by what its servers tell on their monitoring port. Nothing there can change anything, and nothing needs a password. */
export function createNats(http: HttpClient): NatsReader {
  const get = async (at: NatsPod, path: string, signal: AbortSignal): Promise<HttpResponse> => {
    const { namespace, pod, port } = at;
    const url = `http://${pod}:${port}${path}`;
    try {
      return await http.request({ method: 'GET', url, through: { namespace, pod, port } }, signal);
    } catch (cause) {
      if (signal.aborted || !(cause instanceof HttpError)) throw cause;
      throw new NatsError(cause.message, { retryable: true, cause });
    }
  };
  const read = async (at: NatsPod, path: string, signal: AbortSignal): Promise<Body> => {
    const { status, body } = await get(at, path, signal);
    const parsed = status === 200 ? parse(body) : undefined;
    if (parsed === undefined) throw stranger(at, path, `status ${status}`);
    return parsed;
  };
  return {
    server: async (at, signal) => {
      // One after the other: a connection through the API server costs more than all four answers.
      const self = await read(at, '/varz', signal);
      const health = await get(at, '/healthz', signal);
      const routes = await read(at, '/routez', signal);
      const js = await read(at, jetstream, signal);
      const name = text(self.server_name);
      if (name === undefined) throw stranger(at, '/varz', 'no server_name');
      return {
        pod: at.pod,
        name,
        version: text(self.version) ?? '',
        problem: problemOf(health),
        routes: routesOf(routes),
        meta: metaOf(js.meta_cluster),
        streams: streamsOf(js),
      } satisfies NatsServer;
    },
  };
}

function stranger(at: NatsPod, path: string, what: string): NatsError {
  const [shown] = path.split('?');
  return new NatsError(
    `${at.namespace}/${at.pod}:${at.port}${shown} does not answer as a NATS server does (${what}).`,
    {
      retryable: false,
    },
  );
}

function parse(body: string): Body | undefined {
  try {
    return fields(JSON.parse(body));
  } catch {
    return undefined;
  }
}

/** A server that is not healthy says why with status 503. */
function problemOf({ status, body }: HttpResponse): string {
  const said = parse(body);
  if (status === 200 && said?.status === 'ok') return '';
  return text(said?.error) ?? `status ${status}`;
}

function routesOf({ routes }: Body): readonly string[] {
  const names = list(routes).map(({ remote_name, remote_id }) => text(remote_name) ?? text(remote_id) ?? '');
  return [...new Set(names)].filter((name) => name !== '').sort();
}

function metaOf(value: unknown): NatsMeta | undefined {
  const meta = fields(value);
  if (meta === undefined) return undefined;
  return {
    leader: text(meta.leader),
    size: count(meta.cluster_size),
    pending: count(meta.pending),
    peers: peersOf(meta.replicas),
  };
}

function peersOf(value: unknown): readonly NatsPeer[] {
  return list(value)
    .map((peer) => ({
      name: text(peer.name) ?? '',
      current: peer.current === true,
      offline: peer.offline === true,
      lag: count(peer.lag),
    }))
    .sort(byName);
}

function streamsOf({ account_details }: Body): readonly NatsStream[] {
  return list(account_details)
    .flatMap((account) => {
      const owner = text(account.name) ?? '';
      return list(account.stream_detail).map((stream) => streamOf(owner, stream));
    })
    .sort((a, b) => byName({ name: a.account }, { name: b.account }) || byName(a, b));
}

function streamOf(account: string, stream: Body): NatsStream {
  const { cluster, config, state } = {
    cluster: fields(stream.cluster) ?? {},
    config: fields(stream.config) ?? {},
    state: fields(stream.state) ?? {},
  };
  return {
    account,
    name: text(stream.name) ?? '',
    created: text(stream.created) ?? '',
    storage: text(config.storage) ?? '',
    replicas: count(config.num_replicas),
    leader: text(cluster.leader),
    peers: peersOf(cluster.replicas),
    messages: count(state.messages),
    bytes: count(state.bytes),
    lastSequence: count(state.last_seq),
  };
}

function byName(a: { readonly name: string }, b: { readonly name: string }): number {
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0;
}

function fields(value: unknown): Body | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Body) : undefined;
}

function list(value: unknown): readonly Body[] {
  const items: readonly unknown[] = Array.isArray(value) ? value : [];
  return items.map(fields).filter((item) => item !== undefined);
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** Sequences beyond what a number holds exactly do not occur in the life of a stream. */
function count(value: unknown): number {
  return typeof value === 'number' && Number.isFinite(value) ? value : 0;
}
