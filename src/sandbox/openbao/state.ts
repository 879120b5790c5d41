/** One OpenBao server process. */
export interface BaoNode {
  readonly pod: string;
  readonly uid: string;
  readonly startedAt: number;
  sealed: boolean;
  /** The node has everything up to the index that the cluster had when it was unsealed, from this time on. */
  caughtUpAt: number;
  /** Applied index while it still lags, at the time of its unsealing. */
  lagsFrom: number;
}

export interface BaoCluster {
  readonly namespace: string;
  /** Running servers by pod name. */
  readonly nodes: Map<string, BaoNode>;
  /** Peers of the raft configuration: they stay members while their pod is away. */
  readonly peers: Set<string>;
  /** Pod name of the active node. */
  leader: string | undefined;
  /** Nobody else may become active before this one had its chance: the node that stepped down. */
  steppedDown: string | undefined;
  electing: boolean;
  /** By how many milliseconds the clocks of its servers are wrong. */
  skew: number;
  readonly version: string;
  /** Applied index of each peer that is not running, by pod name. */
  readonly lastApplied: Map<string, number>;
}
