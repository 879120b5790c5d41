import type { NekReadSession, NekSession } from './nek-store.ts';
import type { ReadServices, Services } from './services.ts';

/** The same world without its changing methods: they are not hidden, they are not there. */
export function readOnly({
  clock,
  directory,
  files,
  helm,
  http,
  kubernetes,
  nats,
  ledger,
  nekStore,
  openbao,
  process,
}: Services): ReadServices {
  return {
    clock,
    directory,
    files: { read: (path, limit) => files.read(path, limit), stat: (path) => files.stat(path) },
    helm: {
      version: (signal) => helm.version(signal),
      list: (where, signal) => helm.list(where, signal),
      history: (at, signal) => helm.history(at, signal),
      release: (at, signal) => helm.release(at, signal),
      values: (at, signal) => helm.values(at, signal),
      render: (target, signal) => helm.render(target, signal),
      isMarked: (at, signal) => helm.isMarked(at, signal),
      client: (identity) => helm.client(identity),
    },
    http: { request: (request, signal) => http.request(request, signal) },
    nats: { server: (pod, signal) => nats.server(pod, signal) },
    ledger: { read: (target, signal) => ledger.read(target, signal) },
    nekStore: { open: async (target, signal) => readOnlySession(await nekStore.open(target, signal)) },
    kubernetes: {
      identity: () => kubernetes.identity(),
      kind: (name) => kubernetes.kind(name),
      get: (ref) => kubernetes.get(ref),
      list: (kind, options) => kubernetes.list(kind, options),
      follow: (kind, options, signal) => kubernetes.follow(kind, options, signal),
      logs: (ref, options, signal) => kubernetes.logs(ref, options, signal),
      dryRunPatch: (ref, patch) => kubernetes.dryRunPatch(ref, patch),
      dryRunApply: (manifest) => kubernetes.dryRunApply(manifest),
      dryRunDelete: (ref) => kubernetes.dryRunDelete(ref),
      canI: (accesses) => kubernetes.canI(accesses),
      whoAmI: () => kubernetes.whoAmI(),
      portForward: (ref) => kubernetes.portForward(ref),
      execRead: (request, signal) => kubernetes.execRead(request, signal),
    },
    openbao: {
      node: (pod, signal) => openbao.node(pod, signal),
      raftPeers: (pod, token, signal) => openbao.raftPeers(pod, token, signal),
      kvRead: (pod, at, token, signal) => openbao.kvRead(pod, at, token, signal),
      kvMetadata: (pod, at, token, signal) => openbao.kvMetadata(pod, at, token, signal),
      mount: (pod, path, token, signal) => openbao.mount(pod, path, token, signal),
      capabilities: (pod, paths, token, signal) => openbao.capabilities(pod, paths, token, signal),
      tokenInfo: (pod, token, signal) => openbao.tokenInfo(pod, token, signal),
      raftSnapshot: (pod, token, signal) => openbao.raftSnapshot(pod, token, signal),
      snapshotProblem: (content) => openbao.snapshotProblem(content),
    },
    process: { read: (command, signal) => process.read(command, signal) },
  };
}

function readOnlySession(session: NekSession): NekReadSession {
  return {
    health: (signal) => session.health(signal),
    scan: (options, signal) => session.scan(options, signal),
    partition: (at, signal) => session.partition(at, signal),
    rows: (keys, signal) => session.rows(keys, signal),
    statusWriteTime: (key, signal) => session.statusWriteTime(key, signal),
    jweKids: (at, signal) => session.jweKids(at, signal),
    jwes: (at, signal) => session.jwes(at, signal),
    close: () => session.close(),
  };
}
