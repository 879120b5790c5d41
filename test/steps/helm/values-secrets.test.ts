import { expect, test } from 'vitest';
import { secretPaths } from '../../../src/steps/helm/values-secrets.ts';

const base64 = (text: string) => Buffer.from(text).toString('base64');

test('values that look like secrets are found by their names', () => {
  const values = {
    cassandra: { dbUser: { user: 'cassandra', password: 'x' }, serviceRolePassword: 'y' },
    env: [
      { name: 'LOG_LEVEL', value: 'debug' },
      { name: 'DB_PASSWORD', value: 'z' },
    ],
    credentials: { left: 'a', right: { deep: 'b' } },
    tls: { key: 'c', cert: 'd' },
    pin: { password: 12345 },
  };
  expect(secretPaths(values)).toEqual([
    'cassandra.dbUser.password',
    'cassandra.serviceRolePassword',
    'env[1].value',
    'credentials.left',
    'credentials.right.deep',
    'tls.key',
    'pin.password',
  ]);
});

test.for<[string, string]>([
  ['a private key', '-----BEGIN EC PRIVATE KEY-----\nMHc\n-----END EC PRIVATE KEY-----'],
  ['a private key in base64', base64('-----BEGIN PRIVATE KEY-----\nMHc')],
  ['a JWK', '{"kty":"oct","k":"c2VjcmV0"}'],
  ['a set of JWKs in base64', base64('{"keys":[{"kty":"oct","k":"c2VjcmV0"}]}')],
  ['credentials of a registry', '{"auths":{"registry":{"auth":"dXNlcg=="}}}'],
  ['a signed token', 'eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhIn0.c2ln'],
  ['an address with a password', 'postgres://user:word@db:5432/x'],
  ['a token of OpenBao', `s.${'a'.repeat(24)}`],
])('%s is found by its form under any name', ([_, text]) => {
  expect(secretPaths({ some: { thing: [text] } })).toEqual(['some.thing[0]']);
});

test('what points to a secret, switches and numbers about one, and public keys are none', () => {
  const values = {
    existingSecret: 'db',
    secretName: 'db',
    imagePullSecrets: [{ name: 'regcred' }],
    tokenTtl: '1h',
    passwordEnabled: true,
    automountServiceAccountToken: false,
    issuer: 'https://issuer.example/path',
    replicaCount: 3,
    cert: '-----BEGIN CERTIFICATE-----\nMIIB',
    empty: { password: '' },
  };
  expect(secretPaths(values)).toEqual([]);
});
