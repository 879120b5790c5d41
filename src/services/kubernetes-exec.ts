import { CappedOutput } from './capped-output.ts';
import {
  type ExecRequest,
  type ExecResult,
  KubernetesError,
  type KubernetesReader,
  type KubernetesWriter,
  kinds,
} from './kubernetes.ts';
import type { ApiRequest, Connection } from './kubernetes-connection.ts';
import { type ApiStatus, type CallPlace, refusal } from './kubernetes-errors.ts';
import { objectPath, placeOf } from './kubernetes-paths.ts';
import { openWebSocket, type WebSocketChannel } from './websocket.ts';

const outputLimit = 10 * 1024 * 1024;
const stdinChunk = 32 * 1024;
/** After the status, for output that is still on its way. */
const drainLimit = 5_000;

const channels = { stdin: 0, stdout: 1, stderr: 2, status: 3, close: 255 } as const;

/** Running programs in containers, over WebSocket: version 5 of the protocol can close stdin, version 4 cannot. */
export function createExec(
  connection: Connection,
  objects: Pick<KubernetesReader, 'get'>,
): Pick<KubernetesWriter, 'exec' | 'execRead'> {
  const run = async (request: ExecRequest, signal: AbortSignal, write: boolean) => {
    const pod = { kind: kinds.pods, namespace: request.namespace, name: request.pod };
    const place = placeOf(`run ${program(request)} in container ${request.container} of`, pod, write);
    await requireSamePod(objects, request, { place, after: false });
    const channel = await open(connection, execRequest(request, place), signal);
    const result = await converse(channel, { request, place, signal });
    await requireSamePod(objects, request, { place, after: true });
    return result;
  };
  return {
    exec: (request, signal) => run(request, signal, true),
    execRead: (request, signal) => run(request, signal, false),
  };
}

/** Arguments stay out of messages: an author may have put there what should not be repeated. */
function program(request: ExecRequest): string {
  const [file = ''] = request.command;
  if (file === '') throw refusal('The command to run in the container is empty. — Write one.', 'EmptyName');
  if (request.container.trim() === '') {
    throw refusal(
      `No container of pod ${request.namespace}/${request.pod} is named. — Name one.`,
      'EmptyName',
    );
  }
  return file;
}

function execRequest(request: ExecRequest, place: CallPlace): ApiRequest {
  const pod = { kind: kinds.pods, namespace: request.namespace, name: request.pod };
  return {
    method: 'GET',
    path: objectPath(pod, 'exec'),
    query: {
      container: request.container,
      command: request.command,
      stdin: request.stdin === undefined ? undefined : 'true',
      stdout: 'true',
      stderr: 'true',
    },
    place,
  };
}

async function open(connection: Connection, request: ApiRequest, signal: AbortSignal) {
  const withStdin = request.query?.stdin !== undefined;
  // Without a way to close stdin a program that reads it would never end: better refused than started.
  const protocols = withStdin ? ['v5.channel.k8s.io'] : ['v5.channel.k8s.io', 'v4.channel.k8s.io'];
  try {
    return await openWebSocket((headers) => connection.upgrade(request, headers, signal), protocols);
  } catch (cause) {
    if (cause instanceof KubernetesError) throw cause;
    throw lost(request.place, cause instanceof Error ? cause.message : 'the handshake failed', cause);
  }
}

interface Conversation {
  readonly request: ExecRequest;
  readonly place: CallPlace;
  readonly signal: AbortSignal;
}

async function converse(channel: WebSocketChannel, conversation: Conversation): Promise<ExecResult> {
  const { place, signal } = conversation;
  const stdout = new CappedOutput(outputLimit);
  const stderr = new CappedOutput(outputLimit);
  let status: ApiStatus | undefined;
  let drained: NodeJS.Timeout | undefined;
  const stop = () => channel.close();
  signal.addEventListener('abort', stop, { once: true });
  try {
    const sending = sendStdin(channel, conversation.request.stdin);
    for await (const message of channel.messages()) {
      const payload = message.subarray(1);
      if (message[0] === channels.stdout) stdout.push(payload);
      else if (message[0] === channels.stderr) stderr.push(payload);
      else if (message[0] === channels.status && payload.length > 0) {
        status = JSON.parse(payload.toString('utf8')) as ApiStatus;
        drained ??= setTimeout(stop, drainLimit);
      }
    }
    await sending;
  } catch (cause) {
    // With the status in hand the program has ended; how the connection ended does not matter.
    if (status === undefined && !signal.aborted) throw lost(place, messageOf(cause), cause);
  } finally {
    clearTimeout(drained);
    signal.removeEventListener('abort', stop);
    channel.close();
  }
  if (status === undefined) {
    throw signal.aborted
      ? lost(place, 'it was cancelled; the program may still run in the container', signal.reason)
      : lost(place, 'the connection ended before the exit code came', undefined);
  }
  return { exitCode: exitCodeOf(status, place), stdout: stdout.text(), stderr: stderr.text() };
}

async function sendStdin(channel: WebSocketChannel, stdin: Uint8Array | undefined): Promise<void> {
  if (stdin === undefined) return;
  try {
    for (let start = 0; start < stdin.length; start += stdinChunk) {
      const part = stdin.subarray(start, start + stdinChunk);
      await channel.send(Buffer.concat([Buffer.from([channels.stdin]), part]));
    }
    await channel.send(Buffer.from([channels.close, channels.stdin]));
  } catch {
    // A program may end without reading all of its input; its exit code tells, and a broken connection shows there.
  }
}

function exitCodeOf(status: ApiStatus, place: CallPlace): number {
  if (status.status === 'Success') return 0;
  const cause = status.details?.causes?.find((entry) => entry.reason === 'ExitCode');
  const code = Number(cause?.message);
  if (cause !== undefined && Number.isInteger(code)) return code;
  const said = (status.message ?? status.reason ?? 'no reason given').trim();
  // The runtime could not start the program: nothing ran.
  const notStarted = /unable to start container process|executable file not found|container not found/u.test(
    said,
  );
  throw new KubernetesError(`Cannot ${place.what}: ${said}`, {
    status: status.code,
    reason: status.reason ?? 'InternalError',
    outcome: place.write && !notStarted ? 'unknown' : 'not-applied',
    retryable: false,
  });
}

async function requireSamePod(
  objects: Pick<KubernetesReader, 'get'>,
  request: ExecRequest,
  { place, after }: { readonly place: CallPlace; readonly after: boolean },
): Promise<void> {
  if (request.uid === undefined) return;
  const pod = { kind: kinds.pods, namespace: request.namespace, name: request.pod };
  const uid = await objects.get(pod).then(
    (found) => found?.metadata.uid,
    (cause: unknown) => {
      if (after) throw lost(place, 'whether the pod was replaced meanwhile cannot be checked', cause);
      throw cause;
    },
  );
  if (uid === request.uid) return;
  const now = uid === undefined ? 'is gone' : `was replaced (uid ${uid})`;
  throw new KubernetesError(
    `Cannot ${place.what}: the pod ${now}; it was to be the one with uid ${request.uid}. — Look at the pods again.`,
    {
      reason: 'Replaced',
      outcome: place.write && after ? 'unknown' : 'not-applied',
      retryable: false,
    },
  );
}

function lost(place: CallPlace, why: string, cause: unknown): KubernetesError {
  return new KubernetesError(`Cannot ${place.what} to its end: ${why}. Its exit code is unknown.`, {
    reason: 'Unreachable',
    outcome: place.write ? 'unknown' : 'not-applied',
    retryable: !(cause instanceof DOMException),
    cause,
  });
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : 'the connection broke';
}
