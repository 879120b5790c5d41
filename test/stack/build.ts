import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import path from 'node:path';
import { binaryFolder, goModules, helmFolder, natsFolder, registryFolder, stackFolder } from './paths.ts';
import { runVisibly, say } from './shell.ts';

const kubernetesVersion = 'v1.34.4';
const version = 'k8s.io/component-base/version';

type GoModule = (typeof goModules)[number] | 'helm' | 'nats' | 'registry';

/** Package → name of its program. */
const programs: Record<GoModule, Record<string, string>> = {
  kubernetes: {
    'k8s.io/kubernetes/cmd/kube-apiserver': 'kube-apiserver',
    'k8s.io/kubernetes/cmd/kube-controller-manager': 'kube-controller-manager',
    'k8s.io/kubernetes/cmd/kube-scheduler': 'kube-scheduler',
    'k8s.io/kubernetes/cmd/kubelet': 'kubelet',
    'go.etcd.io/etcd/server/v3': 'etcd',
  },
  openbao: { 'github.com/openbao/openbao': 'bao' },
  coredns: { 'github.com/coredns/coredns': 'coredns' },
  helm: { 'helm.sh/helm/v3/cmd/helm': 'helm' },
  registry: { 'github.com/distribution/distribution/v3/cmd/registry': 'registry' },
  nats: { 'github.com/nats-io/nats-server/v2': 'nats-server' },
};

// Without its version the API server calls itself v0.0.0-master, which clients that check versions dislike.
const linkerFlags: Record<GoModule, string> = {
  kubernetes: `-s -w -X ${version}.gitVersion=${kubernetesVersion} -X ${version}.gitMajor=1 -X ${version}.gitMinor=34`,
  openbao: '-s -w',
  coredns: '-s -w',
  helm: '-s -w -X helm.sh/helm/v3/internal/version.version=v3.19.5',
  registry: '-s -w',
  nats: '-s -w',
};

/** Builds the servers unless they lie in the cache folder already. */
export async function ensureBinaries(): Promise<void> {
  await ensureModules(binaryFolder(), goModules, 'the servers', 17);
}

/** Builds Helm unless it lies in its own cache folder already; answers with the folder. */
export async function ensureHelm(): Promise<string> {
  await ensureModules(helmFolder(), ['helm'], 'helm', 4);
  return helmFolder();
}

/** Builds the registry of charts unless it lies in its own cache folder already. */
export async function ensureRegistryProgram(): Promise<void> {
  await ensureModules(registryFolder(), ['registry'], 'the chart registry', 4);
}

/** Builds the NATS server unless it lies in its own cache folder already. */
export async function ensureNats(): Promise<void> {
  await ensureModules(natsFolder(), ['nats'], 'NATS', 1);
}

async function ensureModules(
  target: string,
  modules: readonly GoModule[],
  what: string,
  minutes: number,
): Promise<void> {
  if (existsSync(target)) return;
  say(`building ${what} from source; on two cores the first time takes about ${minutes} min`);
  const parent = path.dirname(target);
  const unfinished = path.join(parent, `unfinished-${process.pid}`);
  mkdirSync(unfinished, { recursive: true });
  try {
    for (const module of modules) await buildModule(module, unfinished);
    // Only a complete set of programs ever carries the final name.
    if (!existsSync(target)) renameSync(unfinished, target);
  } finally {
    rmSync(unfinished, { recursive: true, force: true });
  }
}

async function buildModule(module: GoModule, folder: string): Promise<void> {
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
