import type { Secret } from '../engine/secret.ts';

export interface OpenBaoPod {
  readonly namespace: string;
  readonly pod: string;
  readonly uid: string;
}

/** `GET /v1/sys/seal-status`, `/v1/sys/health` and `/v1/sys/leader` of one pod; none needs a token. */
export interface OpenBaoNode {
  readonly pod: string;
  readonly initialized: boolean;
  readonly sealed: boolean;
  readonly version: string;
  /** This node is the active one. */
  readonly active: boolean;
  /** Undefined while sealed or without a leader. */
  readonly leaderAddress: string | undefined;
  readonly raftCommittedIndex: number | undefined;
  readonly raftAppliedIndex: number | undefined;
  /** `server_time_utc`, seconds since the epoch. */
  readonly serverTime: number | undefined;
}

export interface RaftPeer {
  readonly id: string;
  readonly address: string;
  readonly leader: boolean;
  readonly voter: boolean;
}

/** A failed call; never carries a token or a value. */
export class OpenBaoError extends Error {
  readonly status: number | undefined;
  readonly outcome: 'not-applied' | 'unknown';
  readonly retryable: boolean;
  /** The newest version is another one than the write expected: somebody else wrote, or this very write did before its answer was lost. */
  readonly casMismatch: boolean;
  /** The path takes no write without check-and-set. */
  readonly casRequired: boolean;

  constructor(
    message: string,
    options: {
      status?: number | undefined;
      outcome: 'not-applied' | 'unknown';
      retryable: boolean;
      casMismatch?: boolean;
      casRequired?: boolean;
      cause?: unknown;
    },
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'OpenBaoError';
    this.status = options.status;
    this.outcome = options.outcome;
    this.retryable = options.retryable;
    this.casMismatch = options.casMismatch ?? false;
    this.casRequired = options.casRequired ?? false;
  }
}

/** A secret of a key-value engine, version 2: 'services/all/kv' and 'encryption/keys/stored_data'. */
export interface KvPath {
  readonly mount: string;
  readonly path: string;
}

/** A failed read is never "absent": only an explicit 404 is `not-found`, and it says what kind of nothing is there. */
export type KvRead =
  | {
      readonly state: 'found';
      readonly version: number;
      /** RFC 3339, by the server's clock. */
      readonly createdTime: string;
      /** The fields as one JSON object, UTF-8. */
      readonly data: Secret;
    }
  | {
      readonly state: 'not-found';
      readonly reason: 'absent' | 'deleted' | 'destroyed';
      /** Of the deleted or destroyed version. */
      readonly version?: number;
    }
  | { readonly state: 'failed'; readonly error: OpenBaoError };

export interface KvVersion {
  readonly version: number;
  readonly createdTime: string;
  /** Empty while the version is not deleted. */
  readonly deletionTime: string;
  readonly destroyed: boolean;
}

export interface KvMetadata {
  readonly currentVersion: number;
  readonly oldestVersion: number;
  readonly casRequired: boolean;
  /** 0: the mount's own limit, which is 10 unless configured. */
  readonly maxVersions: number;
  /** '0s': never. */
  readonly deleteVersionAfter: string;
  /** Oldest first. */
  readonly versions: readonly KvVersion[];
}

export type KvMetadataRead =
  | { readonly state: 'found'; readonly metadata: KvMetadata }
  | { readonly state: 'not-found' }
  | { readonly state: 'failed'; readonly error: OpenBaoError };

export interface KvMount {
  /** 'kv', 'jwt', …; a step that needs a versioned key-value engine checks both. */
  readonly type: string;
  /** '2' for a versioned key-value engine. */
  readonly version: string;
  /** Stays with the mount while its path may be given to another one. */
  readonly uuid: string;
}

export interface TokenInfo {
  readonly policies: readonly string[];
  /** Seconds; undefined for a token that does not end. */
  readonly ttl: number | undefined;
  readonly root: boolean;
}

/** OpenBao's HTTP API, pod by pod over port-forward, or at a direct address. */
export interface OpenBaoReader {
  node(pod: OpenBaoPod, signal: AbortSignal): Promise<OpenBaoNode>;
  /** `GET /v1/sys/storage/raft/configuration`; needs a token; ask the active pod. */
  raftPeers(pod: OpenBaoPod, token: Secret, signal: AbortSignal): Promise<readonly RaftPeer[]>;
  /** `GET /v1/<mount>/data/<path>`; the newest version unless told. Never throws an `OpenBaoError`. */
  kvRead(
    pod: OpenBaoPod,
    at: KvPath & { readonly version?: number },
    token: Secret,
    signal: AbortSignal,
  ): Promise<KvRead>;
  /** `GET /v1/<mount>/metadata/<path>`. Never throws an `OpenBaoError`. */
  kvMetadata(pod: OpenBaoPod, at: KvPath, token: Secret, signal: AbortSignal): Promise<KvMetadataRead>;
  /** `GET /v1/sys/internal/ui/mounts/<path>`; throws `OpenBaoError`, also (status 403) for a mount that is not there. */
  mount(pod: OpenBaoPod, path: string, token: Secret, signal: AbortSignal): Promise<KvMount>;
  /** `POST /v1/sys/capabilities-self`: what the token may do, by path as asked ('services/all/kv/data/…'). */
  capabilities(
    pod: OpenBaoPod,
    paths: readonly string[],
    token: Secret,
    signal: AbortSignal,
  ): Promise<Readonly<Record<string, readonly string[]>>>;
  /** `GET /v1/auth/token/lookup-self`. */
  tokenInfo(pod: OpenBaoPod, token: Secret, signal: AbortSignal): Promise<TokenInfo>;
  /**
   * `GET /v1/sys/storage/raft/snapshot` of the active pod, in pieces; the content is encrypted by the seal. A snapshot that breaks off
   * looks whole to HTTP, so its parts and their checksums are looked at: throws `OpenBaoError` instead of ending when it is not whole.
   */
  raftSnapshot(pod: OpenBaoPod, token: Secret, signal: AbortSignal): AsyncIterable<Uint8Array>;
  /** What is wrong with a snapshot that was kept, by its parts and their checksums; undefined when nothing is. Asks nobody. */
  snapshotProblem(content: Uint8Array): Promise<string | undefined>;
}

export interface OpenBaoWriter extends OpenBaoReader {
  /** `PUT /v1/sys/step-down` on the active pod. */
  stepDown(pod: OpenBaoPod, token: Secret, signal: AbortSignal): Promise<void>;
  /**
   * `POST /v1/<mount>/data/<path>` with check-and-set: `cas` is the version that must be the newest, 0 when there must be none.
   * There is no write without it. Gives the new version. Whether an unanswered write took place only a read can tell.
   */
  kvWrite(
    pod: OpenBaoPod,
    at: KvPath & { readonly cas: number; readonly data: Secret },
    token: Secret,
    signal: AbortSignal,
  ): Promise<number>;
  /** `PATCH /v1/<mount>/metadata/<path>`: only the given settings change. */
  kvConfigure(
    pod: OpenBaoPod,
    at: KvPath & { readonly casRequired?: boolean; readonly maxVersions?: number },
    token: Secret,
    signal: AbortSignal,
  ): Promise<void>;
  /** `POST /v1/<mount>/undelete/<path>`: brings deleted (not destroyed) versions back. */
  kvUndelete(
    pod: OpenBaoPod,
    at: KvPath & { readonly versions: readonly number[] },
    token: Secret,
    signal: AbortSignal,
  ): Promise<void>;
  /** `POST /v1/<mount>/sign/<role>` of a JWT engine: a token that a service shows another. */
  signJwt(
    pod: OpenBaoPod,
    at: { readonly mount: string; readonly role: string },
    token: Secret,
    signal: AbortSignal,
  ): Promise<Secret>;
}
