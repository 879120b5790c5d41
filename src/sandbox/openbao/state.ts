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

export interface KvVersionState {
  /** The fields as JSON. */
  readonly json: string;
  readonly createdAt: number;
  deletedAt: number | undefined;
  destroyed: boolean;
}

/** A path of a versioned key-value engine. */
export interface KvEntry {
  /** By number; the ones that were pruned are not there. */
  readonly versions: Map<number, KvVersionState>;
  current: number;
  oldest: number;
  casRequired: boolean;
  /** 0: the engine's own limit. */
  maxVersions: number;
  readonly createdAt: number;
  updatedAt: number;
}

export interface BaoMount {
  /** Without a slash at the end: 'services/all/kv'. */
  readonly path: string;
  readonly type: string;
  /** '1' or '2' of a key-value engine; empty otherwise. */
  readonly version: string;
  readonly uuid: string;
  /** Of version 2, by path. */
  readonly entries: Map<string, KvEntry>;
  /** Of version 1: JSON by path. */
  readonly flat: Map<string, string>;
  casRequired: boolean;
  maxVersions: number;
}

/** Capabilities by path pattern. */
export type BaoPolicy = Readonly<Record<string, readonly string[]>>;

export interface BaoToken {
  readonly policies: readonly string[];
  readonly createdAt: number;
  /** Milliseconds. */
  readonly ttl: number;
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
  readonly version: string;
  /** Applied index of each peer that is not running, by pod name. */
  readonly lastApplied: Map<string, number>;
  /** By path. */
  readonly mounts: Map<string, BaoMount>;
  readonly policies: Map<string, BaoPolicy>;
  /** Those beside the root token, which lies in its Secret. */
  readonly tokens: Map<string, BaoToken>;
}
