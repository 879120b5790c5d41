/** An object of the cluster that the sandbox has nothing of. */
export interface LeftOut {
  /** 'CronJob nvcf/clean'. */
  readonly what: string;
  readonly why: string;
}

/** What of a world that is shaped like a cluster is as it was read there, and what is not. */
export interface LiveReport {
  readonly context: string;
  readonly server: string;
  readonly version: string;
  /** UID of its namespace `kube-system`. */
  readonly uid: string;
  /** The namespaces in which it was looked. */
  readonly namespaces: readonly string[];
  /** What is as it was read, by kind. */
  readonly live: readonly { readonly kind: string; readonly count: number }[];
  /** Values that look secret: others stand in their place. */
  readonly madeUp: number;
  /** What the sandbox has instead of anything that was read; one sentence each. */
  readonly simulated: readonly string[];
  /** What is otherwise there than here: pods that are not ready, rollouts that are not through; one sentence each. */
  readonly otherwise: readonly string[];
  /** Pods that do not become ready in the sandbox, with the reason; one sentence each. */
  readonly unready: readonly string[];
  readonly leftOut: readonly LeftOut[];
}
