/** A request that OpenBao's policies let through. Plain data: what changes something is written down before it is done. */
export interface BaoCall {
  readonly namespace: string;
  /** Of the pod that was asked. */
  readonly pod: string;
  readonly method: string;
  /** Below /v1/, decoded: 'services/all/kv/data/x'. */
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  /** Media type of the body. */
  readonly type?: string;
  readonly body: string;
}
