/** Who may log in with the token of a ServiceAccount, and read which key-value mounts. */
export const logins = [
  { role: 'ess-api', account: 'ess:ess-api', mounts: ['services/all/kv', 'services/ess-api/kv'] },
  { role: 'nvcf-api', account: 'nvcf:nvcf-api', mounts: ['services/all/kv'] },
  {
    role: 'api-keys-api',
    account: 'api-keys:api-keys',
    mounts: ['services/all/kv', 'services/api-keys-api/kv'],
  },
];

/** The audience of those tokens. */
export const openbaoAudience = 'http://openbao-server.vault-system.svc.cluster.local:8200';
