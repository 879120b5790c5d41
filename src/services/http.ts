import type { Secret } from '../engine/secret.ts';

export interface HttpRequest {
  readonly method: 'GET' | 'HEAD';
  readonly url: string;
  readonly headers?: Readonly<Record<string, string | Secret>>;
  /** Reach a pod's port through the API server instead of a host of the URL. */
  readonly through?: { readonly namespace: string; readonly pod: string; readonly port: number };
  /** PEM bundle to trust besides the system's. */
  readonly ca?: string;
}

export interface HttpResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Plain reads over HTTP. A failed connection throws; any status is an answer. Bodies are capped at 10 MiB. */
export interface HttpClient {
  request(request: HttpRequest, signal: AbortSignal): Promise<HttpResponse>;
}

export interface HttpSend extends Omit<HttpRequest, 'method'> {
  readonly method: 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Sent as JSON, unless `headers` names another type. */
  readonly body?: Secret;
}

/** Requests that may change something. One attempt each, no redirect is followed. */
export interface HttpSender extends HttpClient {
  send(request: HttpSend, signal: AbortSignal): Promise<HttpResponse>;
}

/** No answer came: the host, the pod or the network failed. */
export class HttpError extends Error {
  /** False: the request never left, so it changed nothing. */
  readonly sent: boolean;

  constructor(message: string, options: { readonly cause?: unknown; readonly sent?: boolean } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'HttpError';
    this.sent = options.sent ?? true;
  }
}
