import type { ReadServices, Services } from './services.ts';

/** The same world without its changing methods: they are not hidden, they are not there. */
export function readOnly({
  clock,
  directory,
  files,
  http,
  kubernetes,
  openbao,
  process,
}: Services): ReadServices {
  return {
    clock,
    directory,
    files,
    http,
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
    },
    process: { read: (command, signal) => process.read(command, signal) },
  };
}
