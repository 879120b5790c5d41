import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Connection, connect } from '../api.ts';
import { ensureUp, reset, type Stack } from '../control.ts';
import { waitFor } from '../shell.ts';
import { createOperator } from './rig.ts';
import { deployment } from './workload.ts';

let stack: Stack;
let admin: Connection;

beforeAll(async () => {
  stack = await ensureUp();
  admin = connect(stack.kubeconfig);
});

afterAll(reset);

const notary = { namespace: 'nvcf', name: 'notary-service' };

async function scale(replicas: number): Promise<void> {
  // Without a resourceVersion: the controller writes the status all the time.
  await admin.objects.patch({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: notary,
    spec: { replicas },
  } as never);
}

async function replicasOf() {
  const { spec, status, metadata } = await deployment(admin, notary);
  return {
    wanted: spec?.replicas,
    ready: status?.readyReplicas ?? 0,
    remembered: metadata?.annotations?.['runbook.io/replicas-before'],
  };
}

test('check-health of a healthy cluster exits 0 and has a row for each service', async () => {
  const operator = createOperator(stack.kubeconfig);
  const { code, stdout, stderr } = await operator.run(['exec', 'check-health']);
  expect(code, `${stdout}\n${stderr}`).toBe(0);
  const services = await operator.run(['services', '--format', 'json']);
  const names = (JSON.parse(services.stdout) as { services: { name: string }[] }).services.map(
    ({ name }) => name,
  );
  expect(names).toHaveLength(13);
  for (const name of names) expect(stdout).toMatch(new RegExp(`^${name} .* yes +complete `, 'm'));
  expect(stdout).toContain('3 of 3 unsealed');
});

test('check-health names a service without pods, and exits 1', async () => {
  await scale(0);
  await waitFor(async () => (await replicasOf()).ready === 0, { what: 'the pods to go', seconds: 180 });
  const { code, stdout, stderr } = await createOperator(stack.kubeconfig).run(['exec', 'check-health']);
  expect(code, `${stdout}\n${stderr}`).toBe(1);
  expect(stdout).toMatch(/^notary .* no .*0\/0/m);
  expect(stdout).toMatch(/^nvcf-api .* yes +complete /m);
  expect(stderr).toContain('notary');
  await scale(1);
});

test('take-offline remembers how many pods there were, and bring-online brings as many back', async () => {
  await scale(2);
  await waitFor(async () => (await replicasOf()).ready === 2, { what: 'two pods', seconds: 180 });
  const operator = createOperator(stack.kubeconfig);
  const input = ['--input', 'service=notary', '--yes'];
  const offline = await operator.run(['exec', 'take-offline', ...input]);
  expect(offline.code, offline.stderr).toBe(0);
  expect(await replicasOf()).toEqual({ wanted: 0, ready: 0, remembered: '2' });
  expect(offline.stdout).toContain('runbook exec bring-online --input service=notary');

  const online = await operator.run(['exec', 'bring-online', ...input]);
  expect(online.code, online.stderr).toBe(0);
  expect(await replicasOf()).toEqual({ wanted: 2, ready: 2, remembered: undefined });
});

test('take-offline refuses Cassandra, NATS and OpenBao without acceptOutage', async () => {
  const refused = ['cassandra', 'nats', 'openbao'].map(async (service) => {
    const operator = createOperator(stack.kubeconfig);
    const { code, stdout, stderr } = await operator.run([
      'exec',
      'take-offline',
      '--input',
      `service=${service}`,
      '--yes',
    ]);
    expect(code, service).toBe(4);
    expect(`${stdout}\n${stderr}`, service).toContain('acceptOutage=true');
  });
  await Promise.all(refused);
});
