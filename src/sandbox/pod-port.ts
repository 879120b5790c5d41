/** A port of a pod. */
export interface PodPort {
  readonly namespace: string;
  readonly pod: string;
  readonly port: number;
}

export interface PodRequest extends PodPort {
  readonly method: string;
  /** Path and query. */
  readonly url: string;
  readonly token: string | undefined;
}

export interface PodAnswer {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}
