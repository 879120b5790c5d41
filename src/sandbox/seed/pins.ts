/** Release → the version of its chart that the stack pins. */
const pins: Readonly<Record<string, string>> = {
  api: '1.25.1',
  'invocation-service': '1.5.6',
  'grpc-proxy': '1.7.1',
  'notary-service': '1.4.2',
  sis: '2.0.0',
  'api-keys': '1.6.0',
  'admin-issuer-proxy': '1.4.3',
  'ess-api': '1.7.2',
  nats: '0.7.1',
  'openbao-server': '0.30.25',
  cassandra: '0.20.1',
  'nvca-operator': '3.0.4',
  eg: 'v1.1.3',
};

export function pinnedVersion(release: string): string {
  return pins[release] ?? '0.1.0';
}
