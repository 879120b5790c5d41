import type { Consumer } from './consumers/state.ts';
import type { PodRuntime } from './kubelet/runtime.ts';
import type { NatsCluster } from './nats/state.ts';
import type { CassandraState } from './nek-store/state.ts';
import type { BaoCluster } from './openbao/state.ts';
import type { Owners } from './ownership.ts';
import type { Random } from './random.ts';
import type { LiveShape } from './seed/shape.ts';
import type { Store } from './store.ts';
import type { Timeline } from './timeline.ts';

/** What the clients of a world under load know. */
export interface LoadState {
  turn: number;
  /** Namespace and path of secrets, and API keys. */
  readonly secrets: string[];
  readonly apiKeys: string[];
  /** What was refused although the store answered and a ready pod was asked. */
  readonly refused: string[];
  token: string | undefined;
}

/** A rule that refuses (403); absent fields match anything. */
export interface Denial {
  readonly verb?: string;
  /** Plural: 'deployments', 'pods/exec'. */
  readonly resource?: string;
  readonly namespace?: string;
}

/** The next calls that fit are answered like this; absent fields match anything. */
export interface Trouble extends Denial {
  /** Absent: no answer at all. */
  readonly status?: number;
  /** The call takes effect before its answer is lost. */
  readonly applied: boolean;
  times: number;
}

/** The next calls to a store go wrong. */
export interface Mishap {
  readonly at: 'nek-insert' | 'nek-read' | 'ledger-mark' | 'kv-read' | 'kv-write';
  /** 'lost': done, and its answer lost; 'not-done': not done, and no answer; 'refused': answered with an error. */
  readonly how: 'lost' | 'not-done' | 'refused';
  times: number;
}

/** The simulated control plane: a deterministic machine that is moved by commands and by time, and by nothing else. */
export interface World {
  readonly seed: number;
  readonly epoch: number;
  readonly timeline: Timeline;
  readonly random: Random;
  readonly store: Store;
  /** By the UID of the object. */
  readonly owners: Map<string, Owners>;
  /** By the UID of the pod. */
  readonly runtimes: Map<string, PodRuntime>;
  /** Name of the event by what it says. */
  readonly events: Map<string, string>;
  /** By namespace. */
  readonly openbao: Map<string, BaoCluster>;
  /** By how many milliseconds the clocks of OpenBao's servers are wrong. */
  baoSkew: number;
  /** By namespace. */
  readonly nats: Map<string, NatsCluster>;
  readonly cassandra: CassandraState;
  /** Objects of another cluster that it began with. */
  readonly live: LiveShape | undefined;
  /** Containers of workloads that came from another cluster, by `playedKey`. */
  readonly played: Set<string>;
  /** Services that hold master keys, by the UID of their pod. */
  readonly consumers: Map<string, Consumer>;
  /** Version of the MEK document that the services have been told of. */
  documentSeen: number;
  readonly mishaps: Mishap[];
  readonly denials: Denial[];
  readonly troubles: Trouble[];
  /** Outages of the API server end at this time. */
  unreachableUntil: number;
  /** What struck it, in order, in the words of `strikes.ts`. */
  readonly struck: string[];
  load: LoadState | undefined;
}

/** Time that a controller takes to notice a change, in milliseconds. */
export const CONTROLLER_LAG = 10;
