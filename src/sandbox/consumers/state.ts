import type { NekRow } from '../../services/nek-store.ts';

export type ConsumerKind = 'ess' | 'api-keys' | 'nvcf-api';

/** The keys that a service has loaded. */
export interface KeySet {
  /** Kid that it wraps with; the set may lack it in services that are told it apart. */
  readonly current: string;
  /** In the order of the document; of a kid that stands twice, the last one. */
  readonly keys: ReadonlyMap<string, Buffer>;
  /** Kids as they stand in the document. */
  readonly kids: readonly string[];
}

/** Moments that come again and again, in milliseconds since the epoch. */
export interface Ticks {
  readonly from: number;
  readonly every: number;
}

/** A row that ESS holds in memory, in its wrapped form. */
export interface CachedRow {
  readonly row: NekRow;
  readonly at: number;
}

/** One run of a service that uses master keys. */
export interface Consumer {
  readonly kind: ConsumerKind;
  readonly namespace: string;
  readonly pod: string;
  readonly uid: string;
  readonly container: string;
  readonly runId: string;
  /** What its agent wrote into its file last. */
  file: string | undefined;
  /** Undefined before it has loaded any, and after a document that it refused. */
  keys: KeySet | undefined;
  /** When its agent reads the document again, and when the service looks at its file. */
  readonly renders: Ticks;
  readonly polls: Ticks;
  /** By name and labels, as in the metrics. */
  readonly counters: Map<string, number>;
  /** By namespace, and by namespace and kid. */
  readonly encryption: Map<string, CachedRow>;
  readonly decryption: Map<string, CachedRow>;
}

const KINDS: Readonly<Record<string, ConsumerKind>> = {
  'helm-nvcf-ess-api': 'ess',
  'helm-nvcf-api-keys': 'api-keys',
  'helm-nvcf-api': 'nvcf-api',
};

/** By container name. */
export function consumerKind(container: string): ConsumerKind | undefined {
  return KINDS[container];
}

export function count(consumer: Consumer, name: string): void {
  consumer.counters.set(name, (consumer.counters.get(name) ?? 0) + 1);
}
