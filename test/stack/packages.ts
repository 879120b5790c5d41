import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { cassandraFolder } from './paths.ts';
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
  if (findJava() === undefined) missing.push('openjdk-17-jre-headless');
  // Its jars are fetched once; afterwards nothing needs Maven.
  if (!existsSync(cassandraFolder()) && !isOnPath('mvn')) missing.push('maven');
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

/** Home of a Java 17, the newest that Cassandra 5.0 is released for. */
export function javaHome(): string {
  const found = findJava();
  if (found === undefined) throw new Error('no Java 17 below /usr/lib/jvm');
  return found;
}

function findJava(): string | undefined {
  const folder = '/usr/lib/jvm';
  if (!existsSync(folder)) return undefined;
  return readdirSync(folder)
    .filter((name) => /\b17\b/.test(name))
    .map((name) => path.join(folder, name))
    .find((home) => existsSync(path.join(home, 'bin', 'java')));
}

function isOnPath(program: string): boolean {
  return (process.env.PATH ?? '')
    .split(path.delimiter)
    .some((folder) => existsSync(path.join(folder, program)));
}
