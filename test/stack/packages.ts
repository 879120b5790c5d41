import { existsSync } from 'node:fs';
import { run, say } from './shell.ts';

const packages: Record<string, string[]> = {
  containerd: ['/usr/bin/containerd', '/usr/local/bin/containerd'],
  runc: ['/usr/sbin/runc', '/usr/bin/runc', '/usr/local/sbin/runc'],
  'containernetworking-plugins': ['/usr/lib/cni/bridge', '/opt/cni/bin/bridge'],
  iproute2: ['/usr/sbin/ip', '/sbin/ip', '/usr/bin/ip'],
  'busybox-static': ['/bin/busybox', '/usr/bin/busybox'],
  openssl: ['/usr/bin/openssl', '/usr/local/bin/openssl'],
};

/** Installs what the cluster needs from the distribution, and only what is missing. */
export async function ensurePackages(): Promise<void> {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) {
    throw new Error(
      'the stack needs Linux and root; elsewhere set RUNBOOK_TEST_KUBECONFIG to a cluster of your own',
    );
  }
  const missing = Object.keys(packages).filter((name) => !packages[name]?.some((file) => existsSync(file)));
  if (missing.length === 0) return;
  say(`installing ${missing.join(' ')}`);
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const install = ['install', '--yes', '--no-install-recommends', ...missing];
  try {
    await run('apt-get', install, { env });
  } catch {
    await run('apt-get', ['update'], { env });
    await run('apt-get', install, { env });
  }
}

/** Folder of the network plugins; it differs between distributions. */
export function networkPluginFolder(): string {
  return existsSync('/usr/lib/cni/bridge') ? '/usr/lib/cni' : '/opt/cni/bin';
}

/** A static busybox, the only program inside our container image. */
export function busybox(): string {
  return packages['busybox-static']?.find((file) => existsSync(file)) ?? '/bin/busybox';
}
