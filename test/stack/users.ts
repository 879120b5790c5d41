import { readFileSync } from 'node:fs';
import type { V1PolicyRule } from '@kubernetes/client-node';
import { type Connection, putObject } from './api.ts';
import { writeKubeconfigFile } from './certificates.ts';
import { statePath } from './paths.ts';
import { testLabel } from './reset.ts';

const api = 'rbac.authorization.k8s.io';

/** What a test user may do: in one namespace, or everywhere if none is named. */
export interface Grant extends V1PolicyRule {
  namespace?: string;
}

/**
 * Makes a user who may do only what is granted, and answers the path of a kubeconfig for them.
 * In the audit log the user is `system:serviceaccount:default:<name>`. `reset` removes the user.
 */
export async function createUser(connection: Connection, name: string, grants: Grant[]): Promise<string> {
  const labels = { [testLabel]: 'user' };
  await putObject(connection, {
    apiVersion: 'v1',
    kind: 'ServiceAccount',
    metadata: { name, namespace: 'default', labels },
  });
  for (const namespace of new Set(grants.map((grant) => grant.namespace))) {
    const metadata = {
      name: `runbook-test-${name}`,
      labels,
      ...(namespace === undefined ? {} : { namespace }),
    };
    const kind = namespace === undefined ? 'ClusterRole' : 'Role';
    const granted = grants.filter((grant) => grant.namespace === namespace);
    const rules = granted.map(({ namespace: _, ...rule }) => rule);
    await putObject(connection, { apiVersion: `${api}/v1`, kind, metadata, rules });
    await putObject(connection, {
      apiVersion: `${api}/v1`,
      kind: `${kind}Binding`,
      metadata,
      roleRef: { apiGroup: api, kind, name: metadata.name },
      subjects: [{ kind: 'ServiceAccount', name, namespace: 'default' }],
    });
  }
  const { status } = await connection.core.createNamespacedServiceAccountToken({
    name,
    namespace: 'default',
    body: { spec: { audiences: [], expirationSeconds: 86_400 } },
  });
  const cluster = connection.config.getCurrentCluster();
  const authorityData =
    cluster?.caData ?? (cluster?.caFile ? readFileSync(cluster.caFile).toString('base64') : undefined);
  const file = statePath('users', `${name}.kubeconfig`);
  writeKubeconfigFile(file, {
    server: cluster?.server ?? '',
    user: { token: status?.token ?? '' },
    ...(authorityData === undefined ? {} : { authorityData }),
  });
  return file;
}
