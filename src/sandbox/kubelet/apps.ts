import type { Program } from './program.ts';

/** How a seeded server behaves; times in virtual seconds. */
export interface App {
  /** Shortest and longest time from its start until it is ready. */
  readonly ready: readonly [number, number];
  /** From SIGTERM until it is gone. */
  readonly stop: number;
  readonly starting: string;
  readonly started: string;
  /** A line that comes again and again. */
  readonly idle: string;
  /** Seconds between two of them. */
  readonly every: number;
}

function spring(name: string, ready: readonly [number, number]): App {
  return {
    ready,
    stop: 3,
    starting: `INFO  [main] ${name}: Starting ${name} with profile ncp-prod`,
    started: `INFO  [main] ${name}: Started ${name}`,
    idle: `INFO  [scheduling-1] ${name}: health status UP`,
    every: 60,
  };
}

function rust(name: string, ready: readonly [number, number]): App {
  return {
    ready,
    stop: 1,
    starting: `{"level":"info","target":"${name}","message":"starting"}`,
    started: `{"level":"info","target":"${name}","message":"listening"}`,
    idle: `{"level":"info","target":"${name}","message":"metrics flushed"}`,
    every: 60,
  };
}

/** By container name. Start-up stays well inside the budgets of the charts' startup probes. */
const apps: Readonly<Record<string, App>> = {
  'helm-nvcf-api': spring('nvcf-api', [35, 50]),
  'helm-nvcf-notary-service': spring('notary-service', [18, 28]),
  'helm-nvcf-sis': spring('spot-instance-service', [22, 34]),
  'helm-nvcf-api-keys': spring('api-keys', [18, 30]),
  'helm-nvcf-ess-api': spring('ess-api', [24, 40]),
  'helm-nvcf-invocation-service': rust('invocation-service', [5, 10]),
  'helm-nvcf-grpc-proxy': rust('grpc-proxy', [4, 8]),
  'helm-admin-token-issuer-proxy': rust('admin-token-issuer-proxy', [2, 4]),
  'nvca-operator': rust('nvca-operator', [8, 15]),
  'envoy-gateway': rust('envoy-gateway', [4, 8]),
  'sidecar-injector': rust('agent-injector', [2, 4]),
  'vault-agent': rust('vault-agent', [1, 2]),
  reloader: rust('nats-server-config-reloader', [1, 1]),
  'nats-box': rust('nats-box', [1, 1]),
  nats: {
    ready: [3, 6],
    stop: 5,
    starting: '[7] [INF] Starting nats-server',
    started: '[7] [INF] Server is ready',
    idle: '[7] [INF] JetStream cluster: all groups have quorum',
    every: 300,
  },
  openbao: {
    ready: [3, 5],
    stop: 2,
    starting: '[INFO]  core: security barrier not initialized or sealed',
    started: '==> OpenBao server started! Log data will stream in below:',
    idle: '[INFO]  storage.raft: heartbeat',
    every: 60,
  },
  'auto-unseal-sidecar': {
    ready: [1, 1],
    stop: 1,
    starting: 'Waiting for OpenBao',
    started: 'OpenBao unsealed',
    idle: 'OpenBao unsealed',
    every: 70,
  },
  cassandra: {
    ready: [40, 60],
    stop: 10,
    starting: 'INFO  [main] CassandraDaemon.java - Cassandra version: 5.0.8',
    started: 'INFO  [main] StorageService.java - Node state jump to NORMAL',
    idle: 'INFO  [ScheduledTasks:1] StatusLogger.java - pool status nominal',
    every: 120,
  },
};

export function appOf(container: string): App | undefined {
  return apps[container];
}

/** The log of a seeded server that becomes ready after `ready` milliseconds. */
export function appProgram(app: App, ready: number): Program {
  return {
    acts: [
      { do: 'print', text: app.starting, stream: 'stdout' },
      { do: 'sleep', ms: ready },
      { do: 'print', text: app.started, stream: 'stdout' },
    ],
    loop: [
      { do: 'sleep', ms: app.every * 1000 },
      { do: 'print', text: app.idle, stream: 'stdout' },
    ],
    exitCode: 0,
  };
}
