import { expect, test } from 'vitest';
import { Secret } from '../../src/engine/secret.ts';
import { openSandbox } from '../../src/sandbox/open.ts';
import { kinds } from '../../src/services/kubernetes.ts';
import { never } from './rig.ts';

const headers = { 'x-vault-token': Secret.fromText('token', 's.sandbox-root-4') };
const url = 'http://openbao-server.vault-system.svc.cluster.local:8200/v1';
const doc = `${url}/services/all/kv/data/sent`;
const body = Secret.fromText('body', '{"data":{"text":"sent"}}');

test('a request with a body reaches a pod behind a Service', async () => {
  const { services } = openSandbox({ seed: 4 });
  const sent = await services.http.send({ method: 'POST', url: doc, headers, body }, never);
  expect(sent.status).toBe(200);
  const read = await services.http.request({ method: 'GET', url: doc, headers }, never);
  expect(JSON.parse(read.body)).toMatchObject({ data: { data: { text: 'sent' }, metadata: { version: 1 } } });
});

test('its answer is lost when that is planned, though it took effect', async () => {
  const sandbox = openSandbox({ seed: 4, faults: [{ step: 'put', kind: 'lost-answer' }] });
  const { http } = sandbox.servicesFor('put');
  const lost = http.send({ method: 'POST', url: doc, headers, body }, never);
  await expect(lost).rejects.toMatchObject({
    name: 'HttpError',
    sent: true,
    message: expect.stringContaining('POST http://openbao-server.vault-system'),
  });
  expect((await http.request({ method: 'GET', url: doc, headers }, never)).status).toBe(200);
});

test('a name that does not resolve was never sent to', async () => {
  const { http } = openSandbox({ seed: 4 }).services;
  const sending = http.send({ method: 'PUT', url: 'http://nowhere.example/x', body }, never);
  await expect(sending).rejects.toMatchObject({ name: 'HttpError', sent: false });
});

test('a body beyond what servers take is refused', async () => {
  const { http } = openSandbox({ seed: 4 }).services;
  const huge = new Secret('body', Buffer.alloc(33 * 1024 * 1024, 0x20));
  expect((await http.send({ method: 'POST', url: doc, headers, body: huge }, never)).status).toBe(413);
});

test('a Service may call the port of its pods by name', async () => {
  const { services } = openSandbox({ seed: 4 });
  const ref = { kind: kinds.services, namespace: 'nvcf', name: 'notary' };
  const at = { method: 'GET', url: 'http://notary.nvcf.svc:80/health' } as const;
  const ports = (targetPort: string) => ({ spec: { ports: [{ port: 80, targetPort }] } });
  await services.kubernetes.patch(ref, { type: 'merge', body: ports('http') });
  expect((await services.http.request(at, never)).status).toBe(200);
  await services.kubernetes.patch(ref, { type: 'merge', body: ports('nothing') });
  await expect(services.http.request(at, never)).rejects.toThrow('the connection was refused');
});
