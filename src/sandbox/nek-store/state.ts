import { VERSIONS } from './versions.ts';

/** One value of a row. The newest write stands; of two with one timestamp, the greater value. */
export interface Cell {
  /** Null: written as null, or deleted. */
  readonly value: string | null;
  /** Write timestamp in microseconds. */
  readonly at: number;
  /** Milliseconds since the epoch at which a time to live ends. */
  readonly until?: number;
}

/** Columns of `encryption_keys_by_kid_and_encrypted_at` beside its primary key and its static column. */
export type NekColumn = 'createdAt' | 'encryptedByKid' | 'encryptedKey' | 'status';

export interface StoredRow {
  readonly kid: string;
  readonly encryptedAt: number;
  /** What an INSERT leaves besides its columns; an UPDATE leaves none, so its row lives as long as a column does. */
  marker: Cell | undefined;
  readonly cells: { [column in NekColumn]?: Cell };
}

/** The keys of one namespace, in clustering order. */
export interface Partition {
  currentKid: Cell | undefined;
  readonly rows: StoredRow[];
}

/** A row of `secret_versions_by_entity_and_path`: the newest version. */
export interface StoredSecret {
  readonly namespace: string;
  /** 'functions/<id>/<path>'. */
  readonly path: string;
  readonly version: string;
  readonly jwe: string;
}

/** A row of API Keys' two tables, which hold the same. */
export interface StoredApiKey {
  readonly hash: string;
  readonly owner: string;
  readonly keyId: string;
  readonly details: string;
}

/** How the table and the keyspace were made. */
export interface CassandraSchema {
  readonly replicationFactor: number;
  readonly durableWrites: boolean;
  /** One node has another schema version. */
  readonly disagreement: boolean;
  /** Seconds; 0: none. */
  readonly timeToLive: number;
  readonly problems: readonly string[];
}

/** A snapshot on one node's disk. */
export interface StoredSnapshot {
  readonly tag: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
  /** 'keyspace.table'. */
  readonly tables: readonly string[];
}

/** A row of a table of `schema_migrations`. */
export interface StoredMigration {
  readonly version: number;
  readonly dirty: boolean;
}

/** A partition's place on the ring: 0 to 1. */
export interface RingPlace {
  readonly namespace: string;
  readonly token: number;
}

/** What the Cassandra cluster stores. Partitions of the seeded world are made when somebody first looks at them. */
export interface CassandraState {
  readonly seeded: { readonly namespaces: number; readonly each: number };
  /** Seeded namespaces that nobody has looked at yet. */
  readonly unbuilt: Map<string, number>;
  readonly partitions: Map<string, Partition>;
  /** Namespaces in ring order, as long as there are no more of them. */
  ring: readonly RingPlace[];
  /** By namespace and path. */
  readonly secrets: Map<string, StoredSecret>;
  /** By hash; undefined until somebody looks at them. */
  apiKeys: Map<string, StoredApiKey> | undefined;
  /** Values that somebody added to a column, by 'keyspace.table.column'; null: a row without a value. */
  readonly added: Map<string, (string | null)[]>;
  schema: CassandraSchema;
  /** By pod, whose data outlives it. */
  readonly snapshots: Map<string, readonly StoredSnapshot[]>;
  /** `schema_migrations`: rows by keyspace. */
  readonly ledger: Map<string, readonly StoredMigration[]>;
  /** Pods whose server was stopped and is not started again by itself. */
  readonly stopped: Set<string>;
  /** Newest write timestamp that was given out, in microseconds. */
  lastStamp: number;
  /** What clients were given or told is stored. */
  readonly told: {
    /** The value of every acknowledged secret, by namespace and path. */
    readonly secrets: Map<string, string>;
    readonly apiKeys: Set<string>;
    /** What does not change of every row that was ever inserted, by its key: see `rowKey`. */
    readonly rows: Map<string, string>;
    /** When each ends, in milliseconds since the epoch. */
    readonly workerTokens: Map<string, number>;
  };
}

export const TABLE = 'encryption_keys_by_kid_and_encrypted_at';

export function createCassandra(seeded: CassandraState['seeded']): CassandraState {
  const names = Array.from({ length: seeded.namespaces }, (_, at) =>
    at === 0 ? 'nvcf' : `tenant-${String(at).padStart(2, '0')}`,
  );
  return {
    seeded,
    unbuilt: new Map(names.map((name, at) => [name, at])),
    partitions: new Map(),
    ring: [],
    secrets: new Map(),
    apiKeys: undefined,
    added: new Map(),
    schema: {
      replicationFactor: 3,
      durableWrites: true,
      disagreement: false,
      timeToLive: 0,
      problems: [],
    },
    snapshots: new Map(),
    ledger: new Map(Object.entries(VERSIONS).map(([name, version]) => [name, [{ version, dirty: false }]])),
    stopped: new Set(),
    lastStamp: 0,
    told: { secrets: new Map(), apiKeys: new Set(), rows: new Map(), workerTokens: new Map() },
  };
}
