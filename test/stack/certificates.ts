import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { bridge, nodeName, ports, statePath } from './paths.ts';
import { run } from './shell.ts';

const days = '3650';

/** Path of a certificate or key: `pki('ca.crt')`. */
export function pki(file: string): string {
  return statePath('pki', file);
}

/** Path of the kubeconfig of one of the cluster's own identities. */
export function kubeconfigOf(name: string): string {
  return statePath('kubeconfig', `${name}.kubeconfig`);
}

/** Who talks to the API server, and under which Kubernetes user and group. */
const identities: Record<string, { user: string; group?: string }> = {
  admin: { user: 'runbook-admin', group: 'system:masters' },
  stack: { user: 'runbook-stack', group: 'system:masters' },
  'controller-manager': { user: 'system:kube-controller-manager' },
  scheduler: { user: 'system:kube-scheduler' },
  kubelet: { user: `system:node:${nodeName}`, group: 'system:nodes' },
  coredns: { user: 'system:coredns' },
  'apiserver-kubelet-client': { user: 'kube-apiserver-kubelet-client', group: 'system:masters' },
};

/** Writes the certificate authority, all certificates and all kubeconfigs, unless they are there. */
export async function ensureCertificates(): Promise<void> {
  if (existsSync(pki('complete'))) return;
  for (const folder of ['pki', 'kubeconfig']) {
    rmSync(statePath(folder), { recursive: true, force: true });
    mkdirSync(statePath(folder), { recursive: true, mode: 0o700 });
  }
  await newKey('ca');
  await run('openssl', [
    'req',
    '-x509',
    '-new',
    '-key',
    pki('ca.key'),
    '-subj',
    '/CN=runbook-stack',
    '-days',
    days,
    '-out',
    pki('ca.crt'),
  ]);
  await newKey('service-account');
  await run('openssl', [
    'pkey',
    '-in',
    pki('service-account.key'),
    '-pubout',
    '-out',
    pki('service-account.pub'),
  ]);

  const addresses = `IP:${bridge.address},IP:127.0.0.1`;
  const dns =
    'DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,DNS:kubernetes.default.svc.cluster.local';
  await Promise.all([
    issue(
      'apiserver',
      '/CN=kube-apiserver',
      `extendedKeyUsage=serverAuth\nsubjectAltName=${addresses},${dns}`,
    ),
    issue(
      'kubelet-server',
      `/O=system:nodes/CN=system:node:${nodeName}`,
      `extendedKeyUsage=serverAuth\nsubjectAltName=${addresses},DNS:${nodeName}`,
    ),
    ...Object.entries(identities).map(([name, { user, group }]) =>
      issue(name, `${group === undefined ? '' : `/O=${group}`}/CN=${user}`, 'extendedKeyUsage=clientAuth'),
    ),
  ]);
  for (const name of Object.keys(identities)) writeKubeconfig(name);
  writeFileSync(pki('complete'), '');
}

async function newKey(name: string): Promise<void> {
  await run('openssl', ['ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', pki(`${name}.key`)]);
}

async function issue(name: string, subject: string, extensions: string): Promise<void> {
  await newKey(name);
  writeFileSync(pki(`${name}.ext`), `${extensions}\n`);
  const request = await run('openssl', ['req', '-new', '-key', pki(`${name}.key`), '-subj', subject]);
  const authority = ['-CA', pki('ca.crt'), '-CAkey', pki('ca.key'), '-set_serial', `0x${serial()}`];
  const certificate = await run(
    'openssl',
    ['x509', '-req', ...authority, '-days', days, '-extfile', pki(`${name}.ext`)],
    { input: request },
  );
  writeFileSync(pki(`${name}.crt`), certificate);
}

function serial(): string {
  return crypto.randomUUID().replaceAll('-', '').slice(1);
}

function writeKubeconfig(name: string): void {
  writeKubeconfigFile(kubeconfigOf(name), {
    server: `https://${bridge.address}:${ports.apiServer}`,
    authorityFile: pki('ca.crt'),
    user: { 'client-certificate': pki(`${name}.crt`), 'client-key': pki(`${name}.key`) },
  });
}

interface Kubeconfig {
  server: string;
  authorityFile?: string;
  authorityData?: string;
  user: Record<string, string>;
}

/** Writes a kubeconfig with the single context `runbook-stack`, as JSON, which is YAML. */
export function writeKubeconfigFile(
  file: string,
  { server, authorityFile, authorityData, user }: Kubeconfig,
): void {
  const cluster = {
    server,
    ...(authorityFile === undefined ? {} : { 'certificate-authority': authorityFile }),
    ...(authorityData === undefined ? {} : { 'certificate-authority-data': authorityData }),
  };
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'runbook-stack',
    clusters: [{ name: 'runbook-stack', cluster }],
    users: [{ name: 'runbook-stack', user }],
    contexts: [{ name: 'runbook-stack', context: { cluster: 'runbook-stack', user: 'runbook-stack' } }],
  };
  mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
  writeFileSync(`${file}.new`, `${JSON.stringify(config, null, 2)}\n`, { mode: 0o600 });
  renameSync(`${file}.new`, file);
}
