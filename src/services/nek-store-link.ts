import type { KubernetesReader } from './kubernetes.ts';
import type { NekStoreTarget } from './nek-store.ts';
import { orAbort } from './nek-store-abort.ts';
import { connectClient, keepAlive } from './nek-store-client.ts';
import {
  abortedError,
  cleaner,
  refusedError,
  type StorePlace,
  storeError,
  unreachableError,
} from './nek-store-errors.ts';
import { type Client, errors } from './nek-store-library.ts';
import { openTunnel, type Tunnel } from './nek-store-tunnel.ts';

/** Native transport of a Cassandra pod. */
const port = 9042;
/** Connections nobody uses are kept this long for the next step, milliseconds. */
const restLimit = 30_000;

export interface Connected {
  readonly client: Client;
  readonly tunnel: Tunnel;
}

export interface Call {
  /** 'read partition x of ess_api.…', for messages. */
  readonly what: string;
  readonly write: boolean;
}

/** The connections of all sessions on one target. */
export interface Link {
  /** Counts a session in; connects if need be. Rejects with `NekStoreError`, and then the session does not count. */
  join(signal: AbortSignal): Promise<void>;
  /** Counts a session out. The last one leaves the connections to rest, and after a while they are closed. */
  leave(): void;
  /** Runs one request, on new connections when no node could be reached before. Rejects with `NekStoreError`. */
  call<T>(call: Call, signal: AbortSignal, work: (connected: Connected) => Promise<T>): Promise<T>;
  /** The next request gets new connections; those that run end on the old ones. */
  renew(): void;
  /** For good: requests are refused from now on. */
  end(): void;
}

interface Line extends Connected {
  calls: number;
  dropped: boolean;
}

export function createLink(
  kubernetes: Pick<KubernetesReader, 'list' | 'portForward'>,
  target: NekStoreTarget,
): Link {
  let sessions = 0;
  let ended = false;
  let line: Promise<Line> | undefined;
  let rest: NodeJS.Timeout | undefined;

  const clean = (text: string) =>
    target.username.revealText((username) =>
      target.password.revealText((password) => cleaner([username, password])(text)),
    );

  function placeOf({ what, write }: Call, tunnel: Tunnel | undefined): StorePlace {
    const podAt = (endpoint: string) => {
      const pod = tunnel?.podAt(endpoint);
      return pod === undefined ? 'a pod that is gone' : `pod ${target.namespace}/${pod}`;
    };
    return { what, write, podAt, failureAt: (endpoint) => tunnel?.failureAt(endpoint), clean };
  }

  async function connect(): Promise<Line> {
    const what = `connect to Cassandra in namespace ${target.namespace} (pods ${target.selector})`;
    let tunnel: Tunnel | undefined;
    try {
      const { namespace, selector } = target;
      tunnel = await openTunnel({ kubernetes, namespace, selector, port });
      requireRunning(tunnel, target);
      const client = await connectClient(target, tunnel);
      return { client, tunnel, calls: 0, dropped: false };
    } catch (cause) {
      const error = storeError(placeOf({ what, write: false }, tunnel), cause);
      tunnel?.close();
      throw error;
    }
  }

  function connected(): Promise<Line> {
    if (line === undefined) {
      const opening = connect();
      line = opening;
      // Only those who wait for it hear of a failure; the next one tries again.
      opening.catch(() => {
        if (line === opening) line = undefined;
      });
    }
    return line;
  }

  /** No node can be reached through it: the pods may be others now. */
  async function drop(broken: Line): Promise<void> {
    const present = line;
    broken.dropped = true;
    if (present !== undefined && (await present.catch(ignore)) === broken && line === present)
      line = undefined;
    hangUp(broken);
  }

  function goOn(): void {
    clearTimeout(rest);
    rest = undefined;
    line?.then(({ client, tunnel }) => {
      keepAlive(client, true);
      tunnel.keepAlive(true);
    }, ignore);
  }

  function renew(): void {
    clearTimeout(rest);
    rest = undefined;
    const closing = line;
    line = undefined;
    closing?.then((open) => {
      open.dropped = true;
      hangUp(open);
    }, ignore);
  }

  function leave(): void {
    sessions -= 1;
    if (sessions > 0 || line === undefined) return;
    rest = setTimeout(renew, restLimit).unref();
    line.then(({ client, tunnel }) => {
      if (sessions > 0) return;
      // A driver that tries to reach a node would keep the process alive.
      if (client.hosts.values().some((host) => !host.isUp())) renew();
      else {
        keepAlive(client, false);
        tunnel.keepAlive(false);
      }
    }, ignore);
  }

  return {
    join: async (signal) => {
      sessions += 1;
      if (sessions === 1) goOn();
      try {
        await orAbort(connected(), signal, () => abortedError('open a session on Cassandra', false));
      } catch (cause) {
        leave();
        throw cause;
      }
    },
    leave,
    call: async (call, signal, work) => {
      if (ended) throw refusedError(`Cannot ${call.what}: the connections were closed.`);
      if (signal.aborted) throw abortedError(call.what, false);
      const open = await orAbort(connected(), signal, () => abortedError(call.what, false));
      open.calls += 1;
      const working = (async () => work(open))().finally(() => {
        open.calls -= 1;
        if (open.dropped) hangUp(open);
      });
      try {
        return await orAbort(working, signal, () => abortedError(call.what, call.write));
      } catch (cause) {
        // Before the tunnel is closed: it knows why.
        const error = storeError(placeOf(call, open.tunnel), cause);
        if (cause instanceof errors.NoHostAvailableError) await drop(open);
        throw error;
      }
    },
    renew,
    end: () => {
      ended = true;
      renew();
    },
  };
}

function requireRunning(tunnel: Tunnel, { namespace, selector }: NekStoreTarget): void {
  const pods = tunnel.pods();
  if (pods.some(({ running }) => running)) return;
  const why = pods.length === 0 ? 'there is no such pod' : 'none of them is running';
  throw unreachableError(`Cannot connect to Cassandra in namespace ${namespace} (pods ${selector}): ${why}.`);
}

/** Ends the connections once the last request on them has ended. */
function hangUp({ client, tunnel, calls, dropped }: Line): void {
  if (!dropped || calls > 0) return;
  client.shutdown().then(
    () => tunnel.close(),
    () => tunnel.close(),
  );
}

function ignore(): void {
  // Whoever waits for the connections hears why there are none.
}
