import { createServer } from 'node:net';
import { beforeAll, expect, test } from 'vitest';
import { connect } from '../api.ts';
import { ensureUp, type Stack } from '../control.ts';
import { createOperator, type Operator, stackTraceIn } from './rig.ts';

let stack: Stack;

beforeAll(async () => {
  stack = await ensureUp();
});

interface Kubeconfig {
  readonly server?: string;
  readonly authority?: string;
  readonly user: Readonly<Record<string, unknown>>;
  readonly context?: string;
}

function kubeconfig(operator: Operator, { server, authority, user, context = 'prod' }: Kubeconfig): string {
  const cluster = connect(stack.kubeconfig).config.getCurrentCluster();
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': context,
    clusters: [
      {
        name: 'prod',
        cluster: {
          server: server ?? cluster?.server,
          ...(authority === undefined
            ? { 'certificate-authority': cluster?.caFile }
            : { 'certificate-authority-data': Buffer.from(authority).toString('base64') }),
        },
      },
    ],
    users: [{ name: 'someone', user }],
    contexts: [{ name: 'prod', context: { cluster: 'prod', user: 'someone' } }],
  };
  return operator.write('config.json', JSON.stringify(config));
}

async function unusedPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

// A certificate authority that signed nothing of this cluster.
const strangeAuthority = `-----BEGIN CERTIFICATE-----
MIIBkDCCATWgAwIBAgIURfuYXeQM1p99pF17sFszt17DX1kwCgYIKoZIzj0EAwIw
HDEaMBgGA1UEAwwRYW5vdGhlciBhdXRob3JpdHkwIBcNMjYxMTIyMTcwODM2WhgP
MjEyNjEwMjkxNzA4MzZaMBwxGjAYBgNVBAMMEWFub3RoZXIgYXV0aG9yaXR5MFkw
EwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE6bMLqklBGElS9RQfUHtIF4filFaby5DL
re+lRcrThEgEnpXZ8XpzK4+dERbv7RQHvdxptKY7S/b6kclgwEbWVaNTMFEwHQYD
VR0OBBYEFHucNNLCOW6sVajr+xVMwX4z8fCdMB8GA1UdIwQYMBaAFHucNNLCOW6s
Vajr+xVMwX4z8fCdMA8GA1UdEwEB/wQFMAMBAf8wCgYIKoZIzj0EAwIDSQAwRgIh
ANM+ywsYBm6k/0Gu37ZUTFOEvm9bbNV1agvNt1WjdOd9AiEAg95QKwCDiuUwKIU4
d65Ifc1N5Hgk4ivlUuvEmRWA55k=
-----END CERTIFICATE-----
`;

const admin = () => connect(stack.kubeconfig).config.getCurrentUser();

const adminUser = () => ({ 'client-certificate': admin()?.certFile, 'client-key': admin()?.keyFile });

/** What is wrong with the way to the cluster, and what the operator must read. */
const troubles: readonly {
  readonly name: string;
  readonly kubeconfig: (operator: Operator) => string | undefined | Promise<string>;
  readonly args?: readonly string[];
  readonly says: readonly (string | RegExp)[];
}[] = [
  {
    name: 'there is no kubeconfig',
    kubeconfig: () => undefined,
    says: ['There is no kubeconfig', '.kube/config', '--kubeconfig', '--sandbox'],
  },
  {
    name: 'the kubeconfig is not there',
    kubeconfig: ({ folder }) => `${folder}/nowhere`,
    says: ['nowhere', 'does not exist', 'Set --kubeconfig'],
  },
  {
    name: 'the kubeconfig is no kubeconfig',
    kubeconfig: (operator) => operator.write('torn', '{"apiVersion": "v1", "clusters": ['),
    says: ['torn'],
  },
  {
    name: 'the context is unknown',
    kubeconfig: (operator) => kubeconfig(operator, { user: adminUser() }),
    args: ['--context', 'staging'],
    says: ['no context "staging"', 'prod', '--context'],
  },
  {
    name: 'the current context is unknown',
    kubeconfig: (operator) => kubeconfig(operator, { user: adminUser(), context: 'gone' }),
    says: ['"gone"', 'prod'],
  },
  {
    name: 'nobody listens at the server',
    kubeconfig: async (operator) =>
      kubeconfig(operator, { user: adminUser(), server: `https://127.0.0.1:${await unusedPort()}` }),
    says: [/https:\/\/127\.0\.0\.1:\d+/, 'refused', 'API server'],
  },
  {
    name: 'the server has no address',
    kubeconfig: (operator) =>
      kubeconfig(operator, { user: adminUser(), server: 'https://api.runbook.invalid:6443' }),
    says: ['api.runbook.invalid', 'does not resolve'],
  },
  {
    name: 'the server is signed by another authority',
    kubeconfig: (operator) => kubeconfig(operator, { user: adminUser(), authority: strangeAuthority }),
    says: [/certificate/i, 'certificate-authority'],
  },
  {
    name: 'the token is not valid',
    kubeconfig: (operator) => kubeconfig(operator, { user: { token: 'not-a-token-of-this-cluster' } }),
    says: ['401', /log in|credentials|token/i],
  },
  {
    name: 'the client certificate is missing',
    kubeconfig: (operator) =>
      kubeconfig(operator, { user: { 'client-certificate': '/nowhere.crt', 'client-key': '/nowhere.key' } }),
    says: ['/nowhere.'],
  },
];

const commands = [
  ['exec', 'restart-service', '--input', 'service=nvcf-api', '--yes'],
  ['plan', 'check-health'],
  ['unlock', 'nvcf/nvcf-api'],
];

test.each(troubles)(
  'when $name, every command exits 4 and says where, why and what next',
  async (trouble) => {
    const file = await trouble.kubeconfig(createOperator(undefined));
    await Promise.all(
      commands.map(async (command) => {
        const { code, stdout, stderr } = await createOperator(file).run([
          ...command,
          ...(trouble.args ?? []),
        ]);
        const printed = `${stdout}\n${stderr}`;
        expect(
          { command, code, trace: stackTraceIn(printed) },
          `${printed}\n${command.join(' ')} ended like this`,
        ).toEqual({ command, code: 4, trace: undefined });
        for (const part of trouble.says) expect(printed.replace(/\s+/g, ' ')).toMatch(part);
        expect(printed).not.toContain('not-a-token-of-this-cluster');
      }),
    );
  },
);
