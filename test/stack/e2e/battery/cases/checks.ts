import { generateKeyPairSync } from 'node:crypto';
import type { V1Deployment } from '@kubernetes/client-node';
import { expect } from 'vitest';
import { testCertificate, testKey } from '../../../../fakes/tls-pair.ts';
import { type Connection, putObject, readObject } from '../../../api.ts';
import { askActiveOpenBao } from '../../../control.ts';
import { image } from '../../../image-names.ts';
import { waitFor } from '../../../shell.ts';
import { waitForWorkloads } from '../../../workloads.ts';
import { outputsOf } from '../../key-checks.ts';
import type { RunbookCase, Scene } from '../case.ts';

const base64 = (text: string) => Buffer.from(text).toString('base64');

function putSecret(admin: Connection, name: string, type: string, data: Record<string, string>) {
  return putObject(admin, {
    apiVersion: 'v1',
    kind: 'Secret',
    type,
    metadata: { name, namespace: 'nvcf' },
    data: Object.fromEntries(Object.entries(data).map(([key, value]) => [key, base64(value)])),
  });
}

const notaryMount = 'services/nvcf-notary/kv';

async function writeSigningKey(): Promise<void> {
  const { data: mounts } = (await askActiveOpenBao('GET', 'sys/mounts')) as { data: object };
  if (!(`${notaryMount}/` in mounts))
    await askActiveOpenBao('POST', `sys/mounts/${notaryMount}`, { type: 'kv', options: { version: '2' } });
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const jwk = { ...privateKey.export({ format: 'jwk' }), kid: 'one' };
  const keys = base64(JSON.stringify({ keys: [jwk] }));
  // A new mount refuses writes until it has made itself version 2.
  await waitFor(
    () =>
      askActiveOpenBao('POST', `${notaryMount}/data/keys/signing-key`, {
        data: { keys, kid: 'one', alg: 'ES256' },
      }),
    { what: 'the signing key to be written', seconds: 30 },
  );
}

/** The agent that logs in before the service starts, with nothing to complain about. */
async function addAgent(admin: Connection): Promise<void> {
  const metadata = { name: 'notary-service', namespace: 'nvcf' };
  const target = { apiVersion: 'apps/v1', kind: 'Deployment', metadata };
  const { spec } = (await readObject(admin, target)) as V1Deployment;
  const agent = {
    name: 'vault-agent-init',
    image,
    imagePullPolicy: 'Never',
    command: ['/bin/sh', '-c', 'echo authentication successful'],
  };
  const template = spec?.template;
  await putObject(admin, {
    ...target,
    spec: { ...spec, template: { ...template, spec: { ...template?.spec, initContainers: [agent] } } },
  });
  await waitForWorkloads(admin, 120);
}

const told = async ({ operator }: Scene) => expect(Object.keys(await outputsOf(operator))).not.toEqual([]);
const check = { done: told, killed: false, alsoIn: 'guide-checks.test.ts' };

/** What only looks, at things beside the services. */
export const checkCases: readonly RunbookCase[] = [
  {
    ...check,
    runbook: 'check-certificates',
    prepare: async ({ admin }) => {
      await putSecret(admin, 'fine', 'kubernetes.io/tls', { 'tls.crt': testCertificate, 'tls.key': testKey });
      return [];
    },
  },
  {
    ...check,
    runbook: 'registry-credentials',
    prepare: async ({ admin }) => {
      const auths = { 'nvcr.io': { auth: base64('$oauthtoken:nvapi-battery') } };
      const data = { '.dockerconfigjson': JSON.stringify({ auths }) };
      await putSecret(admin, 'nvcr-pull-secret', 'kubernetes.io/dockerconfigjson', data);
      return [];
    },
    done: async (_, { stdout }) => expect(stdout).not.toContain('nvapi-battery'),
  },
  {
    ...check,
    runbook: 'notary-key-check',
    prepare: async () => {
      await writeSigningKey();
      return [];
    },
  },
  { ...check, runbook: 'observability-check', prepare: () => ['over=2s', 'except=["cassandra"]'] },
  {
    ...check,
    runbook: 'vault-agent-login',
    prepare: async ({ admin }) => {
      await addAgent(admin);
      return ['service=notary'];
    },
  },
];
