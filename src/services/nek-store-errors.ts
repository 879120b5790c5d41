import { KubernetesError } from './kubernetes.ts';
import { NekStoreError } from './nek-store.ts';
import { errors, types } from './nek-store-library.ts';

/** What a call wanted, for messages: 'insert 50 rows into ess_api.encryption_keys_by_kid_and_encrypted_at'. */
export interface StorePlace {
  readonly what: string;
  readonly write: boolean;
  /** 'pod cassandra-system/cassandra-1' of an endpoint of the driver. */
  readonly podAt: (endpoint: string) => string;
  /** What the way to that pod said last. */
  readonly failureAt: (endpoint: string) => unknown;
  /** Takes credentials out of what a server said. */
  readonly clean: (text: string) => string;
}

interface Verdict {
  readonly reason: string;
  readonly why: string;
  readonly next: string;
  /** Of a write; a read changes nothing. */
  readonly applied: 'no' | 'unknown';
  readonly retryable: boolean;
  readonly cause?: unknown;
}

const codes = types.responseErrorCodes;
const again = 'Try again.';
const look = 'Look at the Cassandra pods (`nodetool status`, their logs), then try again.';
const listen =
  'Wait until Cassandra has started; a port-forward reaches it only where it listens on every address of its pod (`rpc_address: 0.0.0.0`).';
const readBack = 'It may have taken effect: read the rows back before writing them again.';

/** Any failure of the driver, the tunnel or the API server, told without credentials, rows or keys. */
export function storeError(place: StorePlace, cause: unknown): NekStoreError {
  if (cause instanceof NekStoreError) return cause;
  const verdict = judge(place, cause);
  const unknown = place.write && verdict.applied === 'unknown';
  const next = unknown ? `${readBack} ${verdict.next}` : verdict.next;
  return new NekStoreError(`Cannot ${place.what}: ${verdict.why}. — ${next}`, {
    reason: verdict.reason,
    outcome: unknown ? 'unknown' : 'not-applied',
    retryable: verdict.retryable,
    cause: verdict.cause ?? withoutDetails(place, cause),
  });
}

/** A call that this side gave up or did not begin. `sent`: a node may be working on it. */
export function abortedError(what: string, sent: boolean): NekStoreError {
  const doubt = sent ? ` — ${readBack}` : '';
  return new NekStoreError(
    `Cannot ${what}: it was stopped${doubt === '' ? ' before it was sent' : ''}.${doubt}`,
    {
      reason: 'aborted',
      outcome: sent ? 'unknown' : 'not-applied',
      retryable: true,
    },
  );
}

/** No pod to connect to. */
export function unreachableError(message: string): NekStoreError {
  return new NekStoreError(`${message} — ${look}`, {
    reason: 'unreachable',
    outcome: 'not-applied',
    retryable: true,
  });
}

/** A call that is never sent. */
export function refusedError(message: string): NekStoreError {
  return new NekStoreError(message, { reason: 'refused', outcome: 'not-applied', retryable: false });
}

function judge(place: StorePlace, cause: unknown): Verdict {
  if (cause instanceof KubernetesError) return judgeKubernetes(cause);
  if (cause instanceof errors.NoHostAvailableError) return judgeNoHost(place, cause);
  if (cause instanceof errors.AuthenticationError) return judgeAuthentication(cause);
  if (cause instanceof errors.ResponseError) return judgeResponse(place, cause);
  const at = coordinatorOf(place, cause);
  if (cause instanceof errors.OperationTimedOutError) {
    return {
      reason: 'timeout',
      why: `${at} did not answer in time`,
      next: look,
      applied: 'unknown',
      retryable: true,
    };
  }
  if (cause instanceof TypeError || cause instanceof errors.ArgumentError) {
    // Its text may quote the value.
    const why = 'a value could not be encoded for its column';
    const next = 'Nothing was sent; this is a mistake of the caller.';
    return { reason: 'refused', why, next, applied: 'no', retryable: false, cause: new Error(why) };
  }
  if (isSocketError(cause)) {
    return {
      reason: 'unreachable',
      why: `the connection to ${at} broke`,
      next: look,
      applied: cause.requestNotWritten === true ? 'no' : 'unknown',
      retryable: true,
    };
  }
  const why = cause instanceof Error ? place.clean(cause.message) : 'an unknown failure';
  return { reason: 'unreachable', why, next: look, applied: 'unknown', retryable: true };
}

function judgeKubernetes(cause: KubernetesError): Verdict {
  const refused = cause.status === 401 || cause.status === 403;
  const [why = '', next = again] = cause.message.split(' — ');
  return {
    reason: refused ? 'forbidden' : 'unreachable',
    why: why.replace(/\.$/u, ''),
    next,
    applied: 'no',
    retryable: cause.retryable,
    cause,
  };
}

/** The driver sends a write to one node only, so when it found none the write was not sent. */
function judgeNoHost(place: StorePlace, cause: errors.NoHostAvailableError): Verdict {
  const tried = Object.entries((cause.innerErrors ?? {}) as Record<string, unknown>);
  const refused = tried
    .map(([, inner]) => inner)
    .find((inner) => inner instanceof errors.AuthenticationError);
  if (refused instanceof errors.AuthenticationError) return judgeAuthentication(refused);
  const foreign = tried.map(([, inner]) => inner).find(isOtherDatacenter);
  if (foreign !== undefined) return judgeDatacenter(place, foreign);
  const failures = tried.map(([endpoint]) => place.failureAt(endpoint));
  const forbidden = failures.find(
    (failure) => failure instanceof KubernetesError && (failure.status === 401 || failure.status === 403),
  );
  if (forbidden instanceof KubernetesError) return judgeKubernetes(forbidden);
  const [why, next] = eachPod(place, tried);
  return { reason: 'unreachable', why, next, applied: 'no', retryable: true };
}

/** What stood in the way to each pod, once where it is the same for several. */
function eachPod(
  place: StorePlace,
  tried: readonly (readonly [string, unknown])[],
): readonly [string, string] {
  if (tried.length === 0) return ['no node is connected', look];
  const pods = new Map<string, string[]>();
  const hints = new Set<string>();
  for (const [endpoint, inner] of tried) {
    const failure = place.failureAt(endpoint);
    const message = failure instanceof Error ? failure.message : describe(inner);
    const [text = '', hint = look] = message.replace(/^Cannot reach port \d+ of [^:]*: /u, '').split(' — ');
    const said = place.clean(text).replace(/\.$/u, '');
    hints.add(/connection refused/iu.test(said) ? listen : hint);
    pods.set(said, [...(pods.get(said) ?? []), place.podAt(endpoint)].sort());
  }
  const each = [...pods].map(([said, names]) => `${names.join(', ')}: ${said}`).sort();
  const [hint = look] = hints.size === 1 ? hints : [];
  return [`no node can be reached (${each.join('; ')})`, hint];
}

function isOtherDatacenter(cause: unknown): cause is errors.ArgumentError {
  return cause instanceof errors.ArgumentError && cause.message.startsWith('localDataCenter');
}

function judgeDatacenter(place: StorePlace, cause: errors.ArgumentError): Verdict {
  return {
    reason: 'refused',
    why: place.clean(
      cause.message.replace('localDataCenter was configured as', 'the datacenter was given as'),
    ),
    next: 'Correct `datacenter`; `nodetool status` names the one that the nodes are in.',
    applied: 'no',
    retryable: false,
  };
}

/** The server's text names the user. */
function judgeAuthentication(cause: errors.AuthenticationError): Verdict {
  if (cannotTell(cause.message)) return rolesUnavailable;
  const why = 'Cassandra refused the user name or the password';
  const next = 'Compare the credentials in OpenBao with the role in Cassandra.';
  return { reason: 'unauthenticated', why, next, applied: 'no', retryable: false, cause: new Error(why) };
}

/** Roles and permissions lie in tables of Cassandra's own (`system_auth`), which may lack nodes as any other. */
const rolesUnavailable: Verdict = {
  reason: 'no-quorum',
  why: 'no node could check the credentials or the permissions, because too few copies of system_auth are up',
  next: look,
  applied: 'no',
  retryable: true,
};

function cannotTell(message: string): boolean {
  return /unable to perform auth|cannot achieve consistency/iu.test(message);
}

function judgeResponse(place: StorePlace, cause: errors.ResponseError): Verdict {
  const at = coordinatorOf(place, cause);
  const why = `${at} said "${place.clean(cause.message)}"`;
  const of = (reason: string, next: string, applied: 'no' | 'unknown', retryable: boolean): Verdict => ({
    reason,
    why,
    next,
    applied,
    retryable,
  });
  switch (cause.code) {
    case codes.unavailableException:
      return of('no-quorum', look, 'no', true);
    case codes.isBootstrapping:
      return of('unreachable', again, 'no', true);
    case codes.readTimeout:
    case codes.writeTimeout:
      return of('timeout', look, 'unknown', true);
    case codes.unauthorized:
      if (cannotTell(cause.message)) return rolesUnavailable;
      return of('forbidden', 'The role needs SELECT and MODIFY on the keyspace.', 'no', false);
    case codes.invalid:
    case codes.configError:
      return isAboutSchema(cause.message)
        ? of('schema', 'Check the keyspace, and that the migrations of ESS ran.', 'no', false)
        : of('refused', describeInvalid(cause.message), 'no', false);
    case codes.syntaxError:
    case codes.protocolError:
    case codes.alreadyExists:
      return of('refused', 'The node does not understand the statement; compare its version.', 'no', false);
    default:
      // Overloaded, failed at a replica, server error: replicas may have got it all the same.
      return of('refused', look, 'unknown', true);
  }
}

function isAboutSchema(message: string): boolean {
  return /does not exist|unconfigured (?:table|columnfamily)|undefined column|unknown (?:keyspace|table|identifier)|undefined name/iu.test(
    message,
  );
}

function describeInvalid(message: string): string {
  return /batch too large/iu.test(message)
    ? 'Write fewer rows at once.'
    : 'The node refused the statement or a value in it.';
}

interface SocketError extends Error {
  readonly isSocketError: true;
  readonly requestNotWritten?: boolean;
}

function isSocketError(cause: unknown): cause is SocketError {
  return cause instanceof Error && 'isSocketError' in cause && cause.isSocketError === true;
}

function coordinatorOf({ podAt }: StorePlace, cause: unknown): string {
  if (!(cause instanceof Error)) return 'a node';
  if ('coordinator' in cause && typeof cause.coordinator === 'string') return podAt(cause.coordinator);
  return 'host' in cause && typeof cause.host === 'string' ? podAt(cause.host) : 'a node';
}

function describe(inner: unknown): string {
  if (inner instanceof Error) return inner.message;
  return inner === 'Host considered as DOWN' ? 'it is down' : 'it was not tried';
}

/** The driver's errors carry the statement and more: only their text goes on. */
function withoutDetails(place: StorePlace, cause: unknown): Error {
  return new Error(place.clean(cause instanceof Error ? cause.message : String(cause)));
}

/** Takes texts, and whatever looks like a compact JWE, out of a server's message. */
export function cleaner(secrets: readonly string[]): (text: string) => string {
  const known = secrets.filter((secret) => secret !== '');
  return (text) => {
    const plain = known.reduce((left, secret) => left.replaceAll(secret, '«secret»'), text);
    const short = plain
      .replace(/\beyJ[\w-]{10,}(?:\.[\w-]*)*/gu, '«jwe»')
      .replace(/\s+/gu, ' ')
      .trim();
    return short.length <= 400 ? short : `${short.slice(0, 400)}…`;
  };
}
