/** One NATS server process. */
export interface NatsNode {
  readonly pod: string;
  readonly uid: string;
  readonly startedAt: number;
  /** It knows the others from this time on. */
  readonly joinedAt: number;
}

/** A copy of a stream, in the memory of one server. */
export interface StreamCopy {
  /** When its server came up. */
  readonly since: number;
  messages: number;
  lastSequence: number;
  /** It has what the leader has from this time on. */
  currentAt: number;
}

export interface SimulatedStream {
  readonly name: string;
  readonly createdAt: number;
  /** Pod name; undefined until the copies have agreed on one. */
  leader: string | undefined;
  /** Since when that one leads. */
  ledSince: number;
  electing: boolean;
  /** By pod name; the ones of servers that ended are gone. */
  readonly copies: Map<string, StreamCopy>;
}

/** A NATS cluster of a namespace, whose JetStream keeps everything in memory. */
export interface NatsCluster {
  readonly namespace: string;
  /** Running servers by pod name. */
  readonly nodes: Map<string, NatsNode>;
  /** Members of JetStream's meta group: they stay members while their pod is away. */
  readonly members: Set<string>;
  /** Pod name of the meta group's leader. */
  leader: string | undefined;
  electing: boolean;
  /** By name. */
  readonly streams: Map<string, SimulatedStream>;
}
