import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { pauseImage } from './image-names.ts';
import { networkPluginFolder } from './packages.ts';
import { statePath } from './paths.ts';
import type { Server } from './processes.ts';
import { run } from './shell.ts';

/** containerd's socket; also how its shims are told from those of another containerd. */
export function containerdSocket(): string {
  return statePath('containerd', 'containerd.sock');
}

/** The container runtime, with root, state, socket and network of its own. */
export function containerd(): Server {
  mkdirSync(statePath('containerd'), { recursive: true });
  const configFile = statePath('containerd', 'config.toml');
  writeFileSync(configFile, configuration());
  return {
    name: 'containerd',
    file: existsSync('/usr/bin/containerd') ? '/usr/bin/containerd' : '/usr/local/bin/containerd',
    args: ['--config', configFile],
    seconds: 60,
    healthy: async () => {
      await ctr('version');
      return true;
    },
  };
}

/** Runs containerd's own client against our containerd. */
export function ctr(...args: string[]): Promise<string> {
  return run('ctr', [
    '--address',
    containerdSocket(),
    '--connect-timeout',
    '5s',
    '--namespace',
    'k8s.io',
    ...args,
  ]);
}

function configuration(): string {
  const folder = (name: string) => JSON.stringify(statePath('containerd', name));
  // Where lowering oom_score_adj is not allowed, runc dies without restrict_oom_score_adj.
  return `version = 2
root = ${folder('root')}
state = ${folder('state')}
disabled_plugins = ["io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.aufs"]

[grpc]
  address = ${JSON.stringify(containerdSocket())}

[plugins."io.containerd.internal.v1.opt"]
  path = ${folder('opt')}

[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = ${JSON.stringify(pauseImage)}
  restrict_oom_score_adj = true
  disable_apparmor = true
  netns_mounts_under_state_dir = true
  stream_server_address = "127.0.0.1"
  stream_server_port = "0"

[plugins."io.containerd.grpc.v1.cri".cni]
  bin_dir = ${JSON.stringify(networkPluginFolder())}
  conf_dir = ${JSON.stringify(statePath('cni'))}

[plugins."io.containerd.grpc.v1.cri".containerd]
  snapshotter = "overlayfs"
  default_runtime_name = "runc"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
  SystemdCgroup = false
  Root = ${folder('runc')}
`;
}
