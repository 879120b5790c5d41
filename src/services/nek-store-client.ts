import type { NekStoreTarget } from './nek-store.ts';
import { auth, Client, policies, types } from './nek-store-library.ts';
import type { Tunnel } from './nek-store-tunnel.ts';

/** Statements are prepared, and read at LOCAL_QUORUM, unless they say otherwise. */
const consistency = types.consistencies.localQuorum;

/** How long a node may take to greet, to prepare a statement or to tell of the ring, milliseconds. */
const setupLimit = 8_000;
/** Attempts of a read beyond the first, each at the next node. */
const readAgain = 2;

/**
 * Connects to every node of the datacenter that answers. Rejects when none does, the credentials are refused or the
 * datacenter is not theirs.
 */
export async function connectClient(target: NekStoreTarget, tunnel: Tunnel): Promise<Client> {
  const client = target.username.revealText((username) =>
    target.password.revealText(
      (password) =>
        new Client({
          applicationName: 'runbook',
          contactPoints: tunnel.pods().flatMap(({ endpoint, running }) => (running ? [endpoint] : [])),
          localDataCenter: target.datacenter,
          authProvider: new auth.PlainTextAuthProvider(username, password),
          queryOptions: { consistency, prepare: true, captureStackTrace: false },
          policies: {
            addressResolution: new PodTranslator(tunnel),
            loadBalancing: new policies.loadBalancing.DCAwareRoundRobinPolicy(target.datacenter),
            // A pod that restarts is back within a minute: a growing delay would only add to it.
            reconnection: new policies.reconnection.ConstantReconnectionPolicy(1000),
            retry: new ReadsOnly(),
            speculativeExecution: new policies.speculativeExecution.NoSpeculativeExecutionPolicy(),
          },
          // Asking for a higher version first costs a connection for each that the server refuses.
          protocolOptions: { maxVersion: types.protocolVersion.v4 },
          // The channel to the API server has a heartbeat of its own, and a timer here would keep the process alive.
          pooling: { heartBeatInterval: 0 },
          socketOptions: { readTimeout: setupLimit, defunctReadTimeoutThreshold: 4 },
          isMetadataSyncEnabled: false,
          monitorReporting: { enabled: false },
          ...(target.tls === undefined ? {} : { sslOptions: tlsOf(target.tls) }),
        }),
    ),
  );
  await client.connect();
  return client;
}

/** The driver accepts any certificate unless told not to. */
function tlsOf({ ca, serverName }: NonNullable<NekStoreTarget['tls']>) {
  return { rejectUnauthorized: true, servername: serverName, ...(ca === undefined ? {} : { ca }) };
}

/** Nodes name each other by the addresses of their pods. A node without a pod is left out. */
class PodTranslator extends policies.addressResolution.EC2MultiRegionTranslator {
  readonly #tunnel: Tunnel;

  constructor(tunnel: Tunnel) {
    super();
    this.#tunnel = tunnel;
  }

  override translate(address: string, _port: number, found: (endpoint: string | undefined) => void): void {
    this.#tunnel.translate(address).then(found, () => found(undefined));
  }
}

type Decision = policies.retry.DecisionInfo;
type Operation = policies.retry.OperationInfo;

/** Never sends a write a second time by itself; repeats a read at the next node. */
class ReadsOnly extends policies.retry.RetryPolicy {
  override onReadTimeout(info: Operation): Decision {
    return this.#next(info);
  }

  override onRequestError(info: Operation): Decision {
    return this.#next(info);
  }

  override onUnavailable(info: Operation): Decision {
    return this.#next(info);
  }

  override onWriteTimeout(): Decision {
    return this.rethrowResult();
  }

  #next({ executionOptions, nbRetry }: Operation): Decision {
    const again = executionOptions.isIdempotent() && nbRetry < readAgain;
    return again ? this.retryResult(consistencyAsBefore, false) : this.rethrowResult();
  }
}

const consistencyAsBefore = undefined as unknown as types.consistencies;

interface Host {
  readonly pool?: { readonly connections?: readonly { readonly netClient?: Alive }[] };
  readonly _healthResponseCountTimer?: Alive | null;
}

interface Alive {
  ref?(): unknown;
  unref?(): unknown;
}

/** Whether a client's idle connections keep the process alive. The driver has no word for it, so this looks inside. */
export function keepAlive(client: Client, wanted: boolean): void {
  for (const host of client.hosts.values() as readonly unknown[] as readonly Host[]) {
    const sockets = (host.pool?.connections ?? []).map(({ netClient }) => netClient);
    for (const handle of [host._healthResponseCountTimer, ...sockets]) {
      if (wanted) handle?.ref?.();
      else handle?.unref?.();
    }
  }
}
