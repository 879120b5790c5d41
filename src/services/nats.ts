/** The monitoring port of one NATS server. */
export interface NatsPod {
  readonly namespace: string;
  readonly pod: string;
  readonly port: number;
}

/** Another member of a raft group, as one server sees it. Only what the group's leader says about it can be relied on. */
export interface NatsPeer {
  /** Server name. */
  readonly name: string;
  /** Has what the leader has. NATS says so for a while of servers that are gone: see `offline`. */
  readonly current: boolean;
  readonly offline: boolean;
  /** Entries that it has not applied yet. */
  readonly lag: number;
}

/** The group that all JetStream servers of a cluster belong to. */
export interface NatsMeta {
  /** Server name; undefined while this server knows none. */
  readonly leader: string | undefined;
  /** Members, present or not. */
  readonly size: number;
  /** Entries that this server has not applied yet. */
  readonly pending: number;
  /** The others; empty on every server but the leader. */
  readonly peers: readonly NatsPeer[];
}

/** A stream of which a server has a copy, as that server sees it. */
export interface NatsStream {
  readonly account: string;
  readonly name: string;
  /** RFC 3339; a stream that was made anew has another one. */
  readonly created: string;
  /** 'memory' or 'file'. */
  readonly storage: string;
  /** How many copies it shall have. */
  readonly replicas: number;
  /** Server name; undefined while this server knows none, and of a stream with one copy. */
  readonly leader: string | undefined;
  readonly peers: readonly NatsPeer[];
  /** Of this server's own copy. */
  readonly messages: number;
  readonly bytes: number;
  /** Of this server's own copy: it only ever grows. */
  readonly lastSequence: number;
}

/** What one server says about itself and about its cluster: `/varz`, `/healthz`, `/routez` and `/jsz`. */
export interface NatsServer {
  readonly pod: string;
  /** Its name in the cluster, which is the pod's name where the chart says so. */
  readonly name: string;
  readonly version: string;
  /** Why it is not healthy, in its own words; empty when it is. */
  readonly problem: string;
  /** Server names at the other ends of its routes, sorted; several routes to the same server count once. */
  readonly routes: readonly string[];
  /** Undefined: JetStream is off, or not clustered. */
  readonly meta: NatsMeta | undefined;
  /** Sorted by account and name. */
  readonly streams: readonly NatsStream[];
}

export interface NatsReader {
  /** Asks one server. Throws `NatsError` when it does not answer, or not as a NATS server does. */
  server(pod: NatsPod, signal: AbortSignal): Promise<NatsServer>;
}

/** A server that could not be asked: what it holds is not known. */
export class NatsError extends Error {
  readonly retryable: boolean;

  constructor(message: string, options: { readonly retryable: boolean; readonly cause?: unknown }) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'NatsError';
    this.retryable = options.retryable;
  }
}
