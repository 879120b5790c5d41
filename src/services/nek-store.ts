import type { Secret } from '../engine/secret.ts';

/** Where the namespace keys lie: Cassandra's pods, reached one by one through the API server. */
export interface NekStoreTarget {
  /** Kubernetes namespace of the Cassandra pods: 'cassandra-system'. */
  readonly namespace: string;
  /** Label selector of the pods: 'app.kubernetes.io/name=cassandra'. */
  readonly selector: string;
  /** 'ess_api'. */
  readonly keyspace: string;
  /** The local datacenter of LOCAL_QUORUM: 'ncp'. */
  readonly datacenter: string;
  readonly username: Secret;
  readonly password: Secret;
  /** When the nodes speak TLS to clients. Absent: they do not, and the API server's connection is what protects the way. */
  readonly tls?: {
    /** The name that the nodes' certificate is made out to. */
    readonly serverName: string;
    /** PEM bundle to trust instead of the system's. */
    readonly ca?: string;
  };
}

/** One row of `encryption_keys_by_kid_and_encrypted_at`, as it is stored: null is a column without a value. */
export interface NekRow {
  readonly namespace: string;
  readonly kid: string;
  /** Milliseconds since the epoch, clustering column, newest first. */
  readonly encryptedAt: number;
  /** A timeuuid in lower case. */
  readonly createdAt: string | null;
  readonly encryptedByKid: string | null;
  /** A compact JWE; encrypted, and yet never printed. */
  readonly encryptedKey: string | null;
  readonly status: string | null;
  /** Static column of the partition: the kid of the key that new secrets are encrypted with. */
  readonly currentKid: string | null;
}

/** The primary key of a row. */
export type NekRowKey = Pick<NekRow, 'namespace' | 'kid' | 'encryptedAt'>;

/** What is inserted: every column but the static one, which is never written. */
export type NewNekRow = NekRowKey & {
  readonly createdAt: string;
  readonly encryptedByKid: string;
  readonly encryptedKey: string;
  readonly status: string;
};

export interface NekPage {
  readonly rows: readonly NekRow[];
  /** Share of the token ring that has been read with this page, 0 to 1. */
  readonly done: number;
}

export interface NekStoreNode {
  /** Empty: a member of the ring that no pod of the selector belongs to. */
  readonly pod: string;
  readonly address: string;
  /** It answered a query of its own just now. */
  readonly up: boolean;
  /** Empty when it did not answer. */
  readonly schemaVersion: string;
}

/** What must hold before the first write. */
export interface NekStoreHealth {
  readonly nodes: readonly NekStoreNode[];
  /** All nodes that answer have one schema version. */
  readonly schemaAgreed: boolean;
  /** Enough nodes are up for LOCAL_QUORUM with this replication. */
  readonly quorum: boolean;
  /** Copies in the local datacenter. */
  readonly replicationFactor: number;
  readonly durableWrites: boolean;
  /** How the table differs from what ESS creates, one sentence each; a wrong type, a missing column, a time to live. */
  readonly schemaProblems: readonly string[];
}

/** A failed call; never carries a credential or a key. */
export class NekStoreError extends Error {
  /** 'unreachable', 'unauthenticated', 'forbidden', 'schema', 'no-quorum', 'timeout', 'refused', 'aborted'. */
  readonly reason: string;
  /** 'unknown' on a write: it may have taken effect, only reading back can tell. */
  readonly outcome: 'not-applied' | 'unknown';
  readonly retryable: boolean;

  constructor(
    message: string,
    options: {
      readonly reason: string;
      readonly outcome: 'not-applied' | 'unknown';
      readonly retryable: boolean;
      readonly cause?: unknown;
    },
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'NekStoreError';
    this.reason = options.reason;
    this.outcome = options.outcome;
    this.retryable = options.retryable;
  }
}

/** How often each `kid` stands in the headers of a column of JWEs; nothing is decrypted. */
export interface JweKidCount {
  /** Null: a value that is no compact JWE with a `kid`. */
  readonly kid: string | null;
  readonly rows: number;
}

/** Every read is at LOCAL_QUORUM; every method rejects with `NekStoreError`. */
export interface NekReadSession {
  health(signal: AbortSignal): Promise<NekStoreHealth>;
  /** Every row, partition by partition: the rows of a namespace come together, in clustering order, over pages if need be. */
  scan(options: { readonly pageSize?: number }, signal: AbortSignal): AsyncIterable<NekPage>;
  /** All rows of one namespace, or of one kid in it, in clustering order. */
  partition(
    at: { readonly namespace: string; readonly kid?: string },
    signal: AbortSignal,
  ): Promise<readonly NekRow[]>;
  /** The rows of these keys (of one namespace) that exist, in any order. */
  rows(keys: readonly NekRowKey[], signal: AbortSignal): Promise<readonly NekRow[]>;
  /** Microseconds; undefined when the row or its status does not exist. */
  statusWriteTime(key: NekRowKey, signal: AbortSignal): Promise<number | undefined>;
  /** Kids in the JWE headers of a column, for example `key_details` of API Keys' `keys` (a session on its keyspace). */
  jweKids(
    at: { readonly table: string; readonly column: string },
    signal: AbortSignal,
  ): Promise<readonly JweKidCount[]>;
  /** The JWEs of such a column whose header names this kid, for a proof that they can be opened. Never printed. */
  jwes(
    at: { readonly table: string; readonly column: string; readonly kid: string },
    signal: AbortSignal,
  ): AsyncIterable<readonly string[]>;
  /** Gives the connections back; they are kept for a while for the next step. */
  close(): void;
}

export interface NekSession extends NekReadSession {
  /**
   * Whole rows of one partition, at most 50, as one unlogged batch at LOCAL_QUORUM: written with their status, so that promoting is
   * inserting the identical row again as `VALIDATED`. Never repeated by the driver; on `outcome: 'unknown'` the caller reads back.
   */
  insert(
    rows: readonly NewNekRow[],
    options: {
      /** Write timestamp in microseconds, when an older clock's write must be overruled. */
      readonly timestamp?: number;
    },
    signal: AbortSignal,
  ): Promise<void>;
  /**
   * Sets the static column of a namespace where it has no value, by a lightweight transaction: never in place of another kid. Answers
   * whether it did. On `outcome: 'unknown'` the caller reads back.
   */
  claimCurrentKid(
    at: { readonly namespace: string; readonly kid: string },
    signal: AbortSignal,
  ): Promise<boolean>;
}

export interface NekStoreReader {
  /** Connects to every pod that answers; rejects when none does or the credentials are refused. */
  open(target: NekStoreTarget, signal: AbortSignal): Promise<NekReadSession>;
}

export interface NekStoreWriter {
  open(target: NekStoreTarget, signal: AbortSignal): Promise<NekSession>;
}
