import { image } from '../image-names.ts';
import { jwtPluginFolder } from '../jwt-plugin.ts';
import { binary, bridge, ports, statePath } from '../paths.ts';
import { contentHash, hostMount, type Manifest, service, serviceAccount } from './manifest.ts';

export const vaultNamespace = 'vault-system';
export const openbaoPods = ['openbao-server-0', 'openbao-server-1', 'openbao-server-2'] as const;
export const unsealSecret = 'openbao-server-unseal';
export const rootTokenSecret = 'openbao-server-root-token';

/** ServiceAccount of the chart's Jobs. */
export const migrationsAccount = 'openbao-server-initialize-cluster';

/** Seconds between "sealed" and the sidecar's unseal, unless a file of `openbaoControlFolder` says otherwise. */
export const unsealDelaySeconds = 3;

const name = 'openbao-server';
const labels = {
  'app.kubernetes.io/name': 'openbao',
  'app.kubernetes.io/instance': name,
  component: 'server',
};

/** Folder that the sidecars see too: `unseal-delay` holds seconds, `hold-<pod>` keeps a pod sealed. */
export function openbaoControlFolder(): string {
  return statePath('openbao-control');
}

/** Folder of OpenBao's own audit log: one file a pod, `<pod>/audit.log`, with secrets as keyed hashes. */
export function openbaoAuditFolder(): string {
  return statePath('openbao-audit');
}

/** OpenBao: three real servers with raft storage that outlives their pods. */
export function openbao(): Manifest[] {
  const api = { http: 8200, 'https-internal': 8201 };
  return [
    serviceAccount(name, vaultNamespace),
    serviceAccount(migrationsAccount, vaultNamespace),
    // The server labels its own pod with active, sealed, initialized and version.
    {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'Role',
      metadata: { name: `${name}-discovery-role`, namespace: vaultNamespace },
      rules: [{ apiGroups: [''], resources: ['pods'], verbs: ['get', 'watch', 'list', 'update', 'patch'] }],
    },
    {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'RoleBinding',
      metadata: { name: `${name}-discovery-rolebinding`, namespace: vaultNamespace },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: `${name}-discovery-role` },
      subjects: [{ kind: 'ServiceAccount', name, namespace: vaultNamespace }],
    },
    service(name, vaultNamespace, labels, api, true),
    service(`${name}-active`, vaultNamespace, { ...labels, 'openbao-active': 'true' }, api, true),
    service(`${name}-standby`, vaultNamespace, { ...labels, 'openbao-active': 'false' }, api, true),
    service(`${name}-internal`, vaultNamespace, labels, api, true),
    {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: `${name}-config`, namespace: vaultNamespace },
      data: { 'extraconfig-from-values.hcl': configuration, 'unseal.sh': unsealScript },
    },
    {
      apiVersion: 'policy/v1',
      kind: 'PodDisruptionBudget',
      metadata: { name: `${name}-agent-injector`, namespace: vaultNamespace },
      spec: {
        minAvailable: 1,
        selector: {
          matchLabels: { 'app.kubernetes.io/name': 'openbao-agent-injector', component: 'webhook' },
        },
      },
    },
    statefulSet(),
  ];
}

function statefulSet(): Manifest {
  const program = hostMount('bao', binary('bao'), '/usr/local/bin/bao');
  const plugins = hostMount('plugins', jwtPluginFolder(), '/openbao/plugins');
  const config = { name: 'config', mountPath: '/openbao/config', readOnly: true };
  return {
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
    metadata: {
      name,
      namespace: vaultNamespace,
      labels: { ...labels, 'app.kubernetes.io/managed-by': 'Helm' },
    },
    spec: {
      replicas: openbaoPods.length,
      serviceName: `${name}-internal`,
      podManagementPolicy: 'Parallel',
      updateStrategy: { type: 'OnDelete' },
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: {
          serviceAccountName: name,
          enableServiceLinks: false,
          terminationGracePeriodSeconds: 10,
          containers: [
            openbaoContainer(program.mount, config, plugins.mount),
            sidecar(program.mount, config),
          ],
          volumes: [
            program.volume,
            plugins.volume,
            { name: 'config', configMap: { name: `${name}-config` } },
            { name: 'unseal', secret: { secretName: unsealSecret, optional: true } },
            { name: 'data', hostPath: { path: statePath('openbao-data'), type: 'DirectoryOrCreate' } },
            { name: 'audit', hostPath: { path: openbaoAuditFolder(), type: 'DirectoryOrCreate' } },
            { name: 'control', hostPath: { path: openbaoControlFolder(), type: 'DirectoryOrCreate' } },
          ],
        },
      },
    },
  };
}

function openbaoContainer(program: object, config: object, plugins: object) {
  return {
    name: 'openbao',
    image,
    imagePullPolicy: 'Never',
    command: ['/usr/local/bin/bao', 'server', '-config=/openbao/config/extraconfig-from-values.hcl'],
    env: [
      podName,
      { name: 'POD_IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } },
      // There is no kube-proxy, so the cluster address that pods are told by default leads nowhere.
      { name: 'KUBERNETES_SERVICE_HOST', value: bridge.address },
      { name: 'KUBERNETES_SERVICE_PORT', value: String(ports.apiServer) },
      { name: 'BAO_K8S_POD_NAME', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
      { name: 'BAO_K8S_NAMESPACE', valueFrom: { fieldRef: { fieldPath: 'metadata.namespace' } } },
      { name: 'BAO_RAFT_NODE_ID', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
      { name: 'BAO_ADDR', value: 'http://127.0.0.1:8200' },
      { name: 'BAO_API_ADDR', value: 'http://$(POD_IP):8200' },
      { name: 'BAO_CLUSTER_ADDR', value: `https://$(POD_NAME).${name}-internal:8201` },
      { name: 'HOME', value: '/tmp' },
      { name: 'CONFIG_HASH', value: contentHash(configuration) },
    ],
    ports: [
      { name: 'http', containerPort: 8200 },
      { name: 'https-internal', containerPort: 8201 },
    ],
    readinessProbe: {
      httpGet: { path: '/v1/sys/health?standbyok=true&sealedcode=204&uninitcode=204', port: 8200 },
      periodSeconds: 1,
    },
    // As shipped: the hook looks for a token that is not there, so leadership is never given up in good order.
    lifecycle: {
      preStop: {
        exec: {
          command: [
            '/bin/sh',
            '-c',
            'test -f /home/openbao/unseal/root_token || echo "Root token not found"',
          ],
        },
      },
    },
    volumeMounts: [
      program,
      config,
      plugins,
      { name: 'unseal', mountPath: '/home/openbao/unseal', readOnly: true },
      { name: 'data', mountPath: '/openbao/data', subPathExpr: '$(POD_NAME)' },
      { name: 'audit', mountPath: '/openbao/audit', subPathExpr: '$(POD_NAME)' },
    ],
  };
}

function sidecar(program: object, config: object) {
  return {
    name: 'auto-unseal-sidecar',
    image,
    imagePullPolicy: 'Never',
    command: ['/bin/sh', '/openbao/config/unseal.sh'],
    env: [podName, { name: 'UNSEAL_DELAY_SECONDS', value: String(unsealDelaySeconds) }],
    volumeMounts: [
      program,
      config,
      { name: 'unseal', mountPath: '/home/openbao/unseal', readOnly: true },
      { name: 'control', mountPath: '/openbao/control', readOnly: true },
    ],
  };
}

const podName = { name: 'POD_NAME', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } };

const configuration = `ui = true
plugin_directory = "/openbao/plugins"
listener "tcp" {
  address = "0.0.0.0:8200"
  cluster_address = "0.0.0.0:8201"
  tls_disable = 1
}
storage "raft" {
  path = "/openbao/data"
  performance_multiplier = 1
${openbaoPods.map((pod) => `  retry_join { leader_api_addr = "http://${pod}.${name}-internal:8200" }`).join('\n')}
}
service_registration "kubernetes" {}
audit "file" "file" {
  options {
    file_path = "/openbao/audit/audit.log"
  }
}
`;

// After an unseal the server needs a moment to join; a second call meanwhile would start it twice, and it could never
// become active again. Debian's static wget crashes when it is given a timeout of its own.
const unsealScript = `trap 'exit 0' TERM
address=http://127.0.0.1:8200/v1/sys
key=/home/openbao/unseal/unseal_key
sealed() {
  state=$(timeout 5 wget -q -O - $address/seal-status 2>/dev/null)
  case $state in *'"initialized":true,"sealed":true'*) true ;; *) false ;; esac
}
may_unseal() { [ ! -f "/openbao/control/hold-$POD_NAME" ] && [ -s $key ] && sealed; }
echo 'auto-unseal started'
while :; do
  if may_unseal; then
    delay=$(cat /openbao/control/unseal-delay 2>/dev/null || echo "$UNSEAL_DELAY_SECONDS")
    echo "OpenBao is sealed, unsealing in $delay s"
    sleep "$delay" & wait $!
    if may_unseal; then
      timeout 10 wget -q -O /dev/null --post-data "{\\"key\\":\\"$(cat $key)\\"}" $address/unseal && echo 'OpenBao unsealed'
      sleep 5 & wait $!
    fi
  fi
  sleep 1 & wait $!
done
`;
