import { KubernetesError } from './kubernetes.ts';

/** The body of a failed call: a `Status` of `meta/v1`, as far as messages need it. */
export interface ApiStatus {
  readonly kind?: string;
  readonly status?: string;
  readonly message?: string;
  readonly reason?: string;
  readonly code?: number;
  readonly details?: {
    readonly name?: string;
    readonly kind?: string;
    readonly group?: string;
    readonly retryAfterSeconds?: number;
    readonly causes?: readonly {
      readonly reason?: string;
      readonly message?: string;
      readonly field?: string;
    }[];
  };
}

/** A failed call that was answered, with what the API server said. */
export class AnswerError extends KubernetesError {
  /** Undefined when something else than the API server answered. */
  readonly answer: ApiStatus | undefined;

  constructor(
    message: string,
    options: ConstructorParameters<typeof KubernetesError>[1] & { readonly answer: ApiStatus | undefined },
  ) {
    super(message, options);
    this.answer = options.answer;
  }
}

/** What a call wanted, for messages: 'patch deployments.apps nvcf/nvcf-api'. */
export interface CallPlace {
  readonly what: string;
  /** A write that is not a server-side dry run. */
  readonly write: boolean;
  /** The server's text may quote the document it refused; that of a Secret stays out of messages. */
  readonly confidential: boolean;
}

const reasons: Readonly<Record<number, string>> = {
  400: 'BadRequest',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'NotFound',
  405: 'MethodNotAllowed',
  409: 'Conflict',
  410: 'Expired',
  413: 'RequestEntityTooLarge',
  415: 'UnsupportedMediaType',
  422: 'Invalid',
  429: 'TooManyRequests',
  500: 'InternalError',
  503: 'ServiceUnavailable',
  504: 'Timeout',
};

const nextSteps: Readonly<Record<string, string>> = {
  Unauthorized:
    'Log in again (the credentials of this context are missing, expired or revoked), then resume.',
  Forbidden:
    'Ask for this verb in a Role, or use another context; `runbook plan --access` prints what is needed.',
  Conflict: 'The object changed since it was read: read it again before deciding.',
  AlreadyExists: 'An object of that name is already there.',
  Expired: 'The version asked for is gone: list again.',
  Invalid: 'The API server refused the object as invalid.',
  TooManyRequests: 'The API server asks callers to slow down; try again later.',
  NotFound: 'Check the name, the namespace and the context.',
};

/** The `Status` in a body, or undefined when something else answered (a proxy, a web page). */
export function parseStatus(body: string): ApiStatus | undefined {
  try {
    const parsed: unknown = JSON.parse(body);
    if (typeof parsed !== 'object' || parsed === null) return undefined;
    return 'kind' in parsed && parsed.kind === 'Status' ? (parsed as ApiStatus) : undefined;
  } catch {
    return undefined;
  }
}

/**
 * An error for a status code that is no success. A refusal (4xx) changed nothing; after a 5xx nobody knows:
 * the write may have reached etcd before the answer was lost.
 */
export function answerError(
  place: CallPlace,
  answer: { readonly status: number; readonly retryAfter?: string | undefined; readonly body: string },
): AnswerError {
  const status = parseStatus(answer.body);
  const reason = status?.reason || (reasons[answer.status] ?? 'Unknown');
  const said = saidBy(status, answer.body, place.confidential && quotes(answer.status));
  const next = nextStep(reason, said);
  const refused = answer.status < 500;
  return new AnswerError(
    `Cannot ${place.what}: ${answer.status} ${reason}${said === '' ? '' : `: ${said}`}${next === undefined ? '' : ` — ${next}`}`,
    {
      status: answer.status,
      reason,
      outcome: place.write && !refused ? 'unknown' : 'not-applied',
      retryable: answer.status === 429 || answer.status >= 500 || isStaleVersion(reason, status),
      retryAfter: retryAfterOf(answer.retryAfter, status),
      answer: status,
    },
  );
}

/** An error for a call without an answer. `sent`: the server may have received it. */
export function transportError(
  place: CallPlace,
  failure: { readonly server: string; readonly cause: unknown; readonly sent: boolean },
): KubernetesError {
  const why = describeCause(failure.cause);
  const unknown = place.write && failure.sent;
  const doubt = unknown ? ' The request was already sent, so it may have taken effect.' : '';
  return new KubernetesError(
    `Cannot ${place.what}: no answer from ${failure.server}: ${why.text}.${doubt} — ${why.next}`,
    {
      reason: 'Unreachable',
      outcome: unknown ? 'unknown' : 'not-applied',
      retryable: why.retryable,
      cause: failure.cause,
    },
  );
}

/** An error before any call: a kubeconfig that cannot be used, an empty name. */
export function refusal(message: string, reason: string, cause?: unknown): KubernetesError {
  return new KubernetesError(message, { reason, outcome: 'not-applied', retryable: false, cause });
}

/** Admission refuses with 403, too (quotas, pod security): rights would not help there. */
function nextStep(reason: string, said: string): string | undefined {
  return reason === 'Forbidden' && said !== '' && !said.includes(' cannot ') ? undefined : nextSteps[reason];
}

/** A conflict that reading again may cure; one about field ownership stays until somebody decides. */
function isStaleVersion(reason: string, status: ApiStatus | undefined): boolean {
  const causes = status?.details?.causes ?? [];
  return reason === 'Conflict' && causes.every((cause) => cause.reason !== 'FieldManagerConflict');
}

/** Refusals of the document itself may quote it; those of the caller, the name or the version do not. */
function quotes(status: number): boolean {
  return ![401, 403, 404, 409, 410, 429].includes(status);
}

function saidBy(status: ApiStatus | undefined, body: string, confidential: boolean): string {
  if (confidential) {
    const fields = (status?.details?.causes ?? []).map((cause) => cause.field ?? '').filter((f) => f !== '');
    return fields.length === 0 ? '' : `fields ${[...new Set(fields)].join(', ')}`;
  }
  const text = (status?.message ?? body).trim().replace(/\s+/gu, ' ');
  return text.length <= 600 ? text : `${text.slice(0, 600)}…`;
}

function retryAfterOf(header: string | undefined, status: ApiStatus | undefined): number | undefined {
  const seconds = header === undefined ? status?.details?.retryAfterSeconds : Number(header);
  return seconds !== undefined && Number.isFinite(seconds) && seconds >= 0 ? seconds * 1000 : undefined;
}

interface Cause {
  readonly text: string;
  readonly next: string;
  readonly retryable: boolean;
}

function describeCause(cause: unknown): Cause {
  const code = codeOf(cause);
  const again = 'Check that the API server runs and that this machine reaches it (VPN, proxy, context).';
  switch (code) {
    case 'ECONNREFUSED':
      return { text: 'the connection was refused', next: again, retryable: true };
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return { text: 'its name does not resolve', next: again, retryable: true };
    case 'ETIMEDOUT':
      return { text: cause instanceof Error ? cause.message : 'it timed out', next: again, retryable: true };
    case 'ECONNRESET':
    case 'EPIPE':
      return { text: 'the connection broke', next: again, retryable: true };
    default:
      return describeTls(code, cause) ?? { text: messageOf(cause, code), next: again, retryable: true };
  }
}

function describeTls(code: string, cause: unknown): Cause | undefined {
  if (/^(?:CERT_|ERR_TLS_|UNABLE_TO_|SELF_SIGNED|DEPTH_ZERO|ERR_SSL_)/u.test(code)) {
    return {
      text: `TLS refused it (${messageOf(cause, code)})`,
      next: 'Check certificate-authority-data, tls-server-name and the clock of this machine.',
      retryable: false,
    };
  }
  return undefined;
}

export function codeOf(cause: unknown): string {
  return typeof cause === 'object' && cause !== null && 'code' in cause && typeof cause.code === 'string'
    ? cause.code
    : '';
}

function messageOf(cause: unknown, code: string): string {
  if (cause instanceof AggregateError && cause.message === '') return code;
  return cause instanceof Error ? cause.message : code;
}
