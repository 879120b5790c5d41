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

  constructor(
    message: string,
    options: {
      status?: number | undefined;
      outcome: 'not-applied' | 'unknown';
      retryable: boolean;
      cause?: unknown;
    },
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'OpenBaoError';
    this.status = options.status;
    this.outcome = options.outcome;
    this.retryable = options.retryable;
  }
}

/** OpenBao's HTTP API, pod by pod over port-forward, or at a direct address. */
export interface OpenBaoReader {
  node(pod: OpenBaoPod, signal: AbortSignal): Promise<OpenBaoNode>;
  /** `GET /v1/sys/storage/raft/configuration`; needs a token; ask the active pod. */
  raftPeers(pod: OpenBaoPod, token: Secret, signal: AbortSignal): Promise<readonly RaftPeer[]>;
}

export interface OpenBaoWriter extends OpenBaoReader {
  /** `PUT /v1/sys/step-down` on the active pod. */
  stepDown(pod: OpenBaoPod, token: Secret, signal: AbortSignal): Promise<void>;
}
