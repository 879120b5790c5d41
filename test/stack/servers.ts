import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import { kubeconfigOf, pki } from './certificates.ts';
import { cgroupName } from './cgroups.ts';
import { containerdSocket } from './containerd.ts';
import { auditLogFile, binary, bridge, nodeName, ports, statePath } from './paths.ts';
import type { Server } from './processes.ts';

/** The cluster's store, for speed without syncing to disk. */
export function etcd(): Server {
  const client = `http://127.0.0.1:${ports.etcdClient}`;
  const peer = `http://127.0.0.1:${ports.etcdPeer}`;
  return {
    name: 'etcd',
    file: binary('etcd'),
    args: flags({
      'data-dir': statePath('etcd'),
      name: nodeName,
      'listen-client-urls': client,
      'advertise-client-urls': client,
      'listen-peer-urls': peer,
      'initial-advertise-peer-urls': peer,
      'initial-cluster': `${nodeName}=${peer}`,
      'unsafe-no-fsync': 'true',
      'log-level': 'warn',
    }),
    seconds: 60,
    healthy: async () => (await statusOf(`${client}/health`)) === 200,
  };
}

/** The API server; tests read its audit log, which leaves out the cluster's own identities. */
export function apiServer(): Server {
  mkdirSync(statePath('audit'), { recursive: true });
  appendFileSync(auditLogFile(), '');
  const policy = statePath('audit', 'policy.json');
  writeFileSync(policy, JSON.stringify(auditPolicy));
  return {
    name: 'kube-apiserver',
    file: binary('kube-apiserver'),
    args: flags({
      'bind-address': bridge.address,
      'secure-port': String(ports.apiServer),
      'advertise-address': bridge.address,
      'endpoint-reconciler-type': 'none',
      'etcd-servers': `http://127.0.0.1:${ports.etcdClient}`,
      'service-cluster-ip-range': '10.96.0.0/16',
      'authorization-mode': 'Node,RBAC',
      'enable-admission-plugins': 'NodeRestriction',
      'client-ca-file': pki('ca.crt'),
      'tls-cert-file': pki('apiserver.crt'),
      'tls-private-key-file': pki('apiserver.key'),
      'kubelet-client-certificate': pki('apiserver-kubelet-client.crt'),
      'kubelet-client-key': pki('apiserver-kubelet-client.key'),
      'kubelet-certificate-authority': pki('ca.crt'),
      'kubelet-preferred-address-types': 'InternalIP',
      'service-account-key-file': pki('service-account.pub'),
      'service-account-signing-key-file': pki('service-account.key'),
      'service-account-issuer': 'https://kubernetes.default.svc.cluster.local',
      'audit-policy-file': policy,
      'audit-log-path': auditLogFile(),
      'audit-log-maxsize': '100000',
      'shutdown-delay-duration': '0s',
    }),
    seconds: 90,
    healthy: apiServerIsReady,
  };
}

/** Does the API server answer that it is ready? */
export async function apiServerIsReady(): Promise<boolean> {
  return (await statusOf(`https://${bridge.address}:${ports.apiServer}/readyz`)) === 200;
}

/** Controllers; generous about an API server that tests stop on purpose. */
export function controllerManager(): Server {
  return {
    name: 'kube-controller-manager',
    file: binary('kube-controller-manager'),
    args: flags({
      ...clientFlags('controller-manager'),
      'bind-address': '127.0.0.1',
      'secure-port': String(ports.controllerManager),
      'use-service-account-credentials': 'true',
      'service-account-private-key-file': pki('service-account.key'),
      'root-ca-file': pki('ca.crt'),
      'cluster-signing-cert-file': pki('ca.crt'),
      'cluster-signing-key-file': pki('ca.key'),
      'node-monitor-grace-period': '10m',
    }),
    seconds: 60,
    healthy: async () => (await statusOf(`https://127.0.0.1:${ports.controllerManager}/healthz`)) === 200,
  };
}

/** The scheduler. */
export function scheduler(): Server {
  return {
    name: 'kube-scheduler',
    file: binary('kube-scheduler'),
    args: flags({
      ...clientFlags('scheduler'),
      'bind-address': '127.0.0.1',
      'secure-port': String(ports.scheduler),
    }),
    seconds: 60,
    healthy: async () => (await statusOf(`https://127.0.0.1:${ports.scheduler}/healthz`)) === 200,
  };
}

/** The node agent. */
export function kubelet(): Server {
  mkdirSync(statePath('kubelet'), { recursive: true });
  const configFile = statePath('kubelet', 'config.json');
  writeFileSync(configFile, JSON.stringify(kubeletConfiguration(), null, 2));
  return {
    name: 'kubelet',
    file: binary('kubelet'),
    args: flags({
      config: configFile,
      kubeconfig: kubeconfigOf('kubelet'),
      'root-dir': statePath('kubelet'),
      'hostname-override': nodeName,
      'node-ip': bridge.address,
    }),
    seconds: 60,
    healthy: async () => (await statusOf(`http://127.0.0.1:${ports.kubeletHealth}/healthz`)) === 200,
  };
}

/** Name service of the pods. It runs beside the cluster, on the bridge's address. */
export function coredns(): Server {
  mkdirSync(statePath('coredns'), { recursive: true });
  const corefile = statePath('coredns', 'Corefile');
  writeFileSync(
    corefile,
    `.:53 {
  bind ${bridge.address}
  errors
  health 127.0.0.1:${ports.corednsHealth}
  kubernetes cluster.local in-addr.arpa {
    kubeconfig ${kubeconfigOf('coredns')}
    ttl 0
  }
}
`,
  );
  return {
    name: 'coredns',
    file: binary('coredns'),
    args: ['-conf', corefile],
    seconds: 60,
    healthy: async () => (await statusOf(`http://127.0.0.1:${ports.corednsHealth}/health`)) === 200,
  };
}

// The cluster's own identities and its housekeeping would drown the few calls that a test asks about.
const auditPolicy = {
  apiVersion: 'audit.k8s.io/v1',
  kind: 'Policy',
  omitStages: ['RequestReceived'],
  rules: [
    {
      level: 'None',
      userGroups: ['system:nodes', 'system:serviceaccounts:kube-system', 'system:unauthenticated'],
    },
    {
      level: 'None',
      users: [
        'runbook-stack',
        'system:apiserver',
        'system:coredns',
        'system:kube-controller-manager',
        'system:kube-scheduler',
        'system:serviceaccount:vault-system:openbao-server',
      ],
    },
    { level: 'Metadata' },
  ],
};

function kubeletConfiguration() {
  return {
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    kind: 'KubeletConfiguration',
    address: bridge.address,
    port: ports.kubelet,
    readOnlyPort: 0,
    healthzBindAddress: '127.0.0.1',
    healthzPort: ports.kubeletHealth,
    tlsCertFile: pki('kubelet-server.crt'),
    tlsPrivateKeyFile: pki('kubelet-server.key'),
    authentication: {
      anonymous: { enabled: false },
      webhook: { enabled: true },
      x509: { clientCAFile: pki('ca.crt') },
    },
    authorization: { mode: 'Webhook' },
    containerRuntimeEndpoint: `unix://${containerdSocket()}`,
    cgroupDriver: 'cgroupfs',
    cgroupRoot: `/${cgroupName}`,
    failCgroupV1: false,
    enforceNodeAllocatable: [],
    localStorageCapacityIsolation: false,
    failSwapOn: false,
    makeIPTablesUtilChains: false,
    clusterDNS: [bridge.address],
    clusterDomain: 'cluster.local',
    resolvConf: statePath('resolv.conf'),
    podLogsDir: statePath('pod-logs'),
    volumePluginDir: statePath('kubelet', 'volume-plugins'),
    // A nearly full disk of the developer must not evict pods or delete our image, which nobody could pull again.
    evictionHard: {
      'memory.available': '0%',
      'nodefs.available': '0%',
      'imagefs.available': '0%',
      'nodefs.inodesFree': '0%',
      'imagefs.inodesFree': '0%',
    },
    imageGCHighThresholdPercent: 100,
    imageGCLowThresholdPercent: 99,
    syncFrequency: '10s',
    nodeStatusUpdateFrequency: '5s',
    kubeAPIQPS: 200,
    kubeAPIBurst: 400,
    eventRecordQPS: 0,
  };
}

function clientFlags(identity: string): Record<string, string> {
  const kubeconfig = kubeconfigOf(identity);
  return {
    kubeconfig,
    'authentication-kubeconfig': kubeconfig,
    'authorization-kubeconfig': kubeconfig,
    'leader-elect': 'false',
    'kube-api-qps': '200',
    'kube-api-burst': '400',
  };
}

function flags(values: Record<string, string>): string[] {
  return Object.entries(values).map(([name, value]) => `--${name}=${value}`);
}

function statusOf(url: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const answered = (response: http.IncomingMessage) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    };
    const request = url.startsWith('https:')
      ? https.get(url, { ...identity(), timeout: 3000 }, answered)
      : http.get(url, { timeout: 3000 }, answered);
    request.on('timeout', () => request.destroy(new Error(`${url}: no answer within 3 s`)));
    request.on('error', reject);
  });
}

// The controllers' certificates are self-signed at each start, and all of this is on loopback or our own bridge.
function identity(): https.RequestOptions {
  return {
    rejectUnauthorized: false,
    cert: readFileSync(pki('stack.crt')),
    key: readFileSync(pki('stack.key')),
    agent: false,
  };
}
