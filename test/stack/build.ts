import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import path from 'node:path';
import { binaryFolder, goModules, stackFolder } from './paths.ts';
import { runVisibly, say } from './shell.ts';

const kubernetesVersion = 'v1.34.4';
const version = 'k8s.io/component-base/version';

/** Package → name of its program. */
const programs: Record<(typeof goModules)[number], Record<string, string>> = {
  kubernetes: {
    'k8s.io/kubernetes/cmd/kube-apiserver': 'kube-apiserver',
    'k8s.io/kubernetes/cmd/kube-controller-manager': 'kube-controller-manager',
    'k8s.io/kubernetes/cmd/kube-scheduler': 'kube-scheduler',
    'k8s.io/kubernetes/cmd/kubelet': 'kubelet',
    'go.etcd.io/etcd/server/v3': 'etcd',
  },
  openbao: { 'github.com/openbao/openbao': 'bao' },
  coredns: { 'github.com/coredns/coredns': 'coredns' },
};

// Without its version the API server calls itself v0.0.0-master, which clients that check versions dislike.
const linkerFlags: Record<(typeof goModules)[number], string> = {
  kubernetes: `-s -w -X ${version}.gitVersion=${kubernetesVersion} -X ${version}.gitMajor=1 -X ${version}.gitMinor=34`,
  openbao: '-s -w',
  coredns: '-s -w',
};

/** Builds the servers unless they lie in the cache folder already. */
export async function ensureBinaries(): Promise<void> {
  const target = binaryFolder();
  if (existsSync(target)) return;
  say('building the servers from source; on two cores the first time takes about 17 minutes');
  const parent = path.dirname(target);
  const unfinished = path.join(parent, `unfinished-${process.pid}`);
  mkdirSync(unfinished, { recursive: true });
  try {
    for (const module of goModules) await buildModule(module, unfinished);
    // Only a complete set of programs ever carries the final name.
    if (!existsSync(target)) renameSync(unfinished, target);
  } finally {
    rmSync(unfinished, { recursive: true, force: true });
  }
}

async function buildModule(module: (typeof goModules)[number], folder: string): Promise<void> {
  const started = performance.now();
  const flags = ['-mod=readonly', '-trimpath', '-ldflags', linkerFlags[module], '-o', `${folder}${path.sep}`];
  await runVisibly('nice', ['-n', '10', 'go', 'build', ...flags, ...Object.keys(programs[module])], {
    cwd: path.join(stackFolder(), 'go', module),
    env: { ...process.env, CGO_ENABLED: '0', GOTOOLCHAIN: 'local', GOFLAGS: '', GOWORK: 'off' },
  });
  for (const [source, program] of Object.entries(programs[module])) {
    // Go names a program after its package, whose last element may be a mere version.
    const built = path.basename(source.replace(/\/v\d+$/, ''));
    if (built !== program) renameSync(path.join(folder, built), path.join(folder, program));
  }
  say(`built ${module} in ${Math.round((performance.now() - started) / 1000)} s`);
}
