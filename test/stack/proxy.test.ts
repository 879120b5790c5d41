import { PassThrough } from 'node:stream';
import { PortForward } from '@kubernetes/client-node';
import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { type Connection, connect } from './api.ts';
import {
  askActiveOpenBao,
  ensureUp,
  openBaoStatus,
  reset,
  rootToken,
  startApiProxy,
  startProxy,
} from './control.ts';
import { vaultNamespace } from './manifests/openbao.ts';
import { waitFor } from './shell.ts';

let admin: Connection;
let token: string;
let active: { name: string; host: string };

beforeAll(async () => {
  admin = connect((await ensureUp()).kubeconfig);
  token = await rootToken();
  const name = (await openBaoStatus()).find((pod) => pod.active)?.pod ?? '';
  const { status } = await admin.core.readNamespacedPod({ namespace: vaultNamespace, name });
  active = { name, host: status?.podIP ?? '' };
});

const path = `services/all/kv/data/proxy-${process.pid}`;

afterEach(async () => {
  await askActiveOpenBao('DELETE', path.replace('/data/', '/metadata/'));
});

afterAll(reset);

async function storedVersion(): Promise<number> {
  const { data } = (await askActiveOpenBao('GET', path)) as { data: { metadata: { version: number } } };
  return data.metadata.version;
}

describe('a proxy to an OpenBao pod', () => {
  async function open() {
    const proxy = await startProxy({ host: active.host, port: 8200 });
    onTestFinished(() => proxy.close());
    const write = (patience = 20_000) =>
      fetch(`http://127.0.0.1:${proxy.port}/v1/${path}`, {
        method: 'POST',
        headers: { 'x-vault-token': token },
        body: JSON.stringify({ data: { color: 'blue' } }),
        signal: AbortSignal.timeout(patience),
      }).then(({ status }) => status);
    return { proxy, write };
  }

  test('passes everything on', async () => {
    const { write } = await open();
    expect(await write()).toBe(200);
    expect(await storedVersion()).toBe(1);
  });

  test('loses the answer to a write that was made', async () => {
    const { proxy, write } = await open();
    const lost = proxy.swallowAnswerTo(`POST /v1/${path}`);
    await expect(write()).rejects.toThrow('fetch failed');
    await lost;
    expect(await storedVersion()).toBe(1);
    expect(await write()).toBe(200);
    expect(await storedVersion()).toBe(2);
  });

  test('lets writes through and no answer back', async () => {
    const { proxy, write } = await open();
    proxy.swallow();
    await expect(write(2_000)).rejects.toThrow('aborted due to timeout');
    await waitFor(async () => (await storedVersion()) === 1, { what: 'the write to arrive', seconds: 60 });
    proxy.pass();
    expect(await write()).toBe(200);
  });

  test('is cut, and mended', async () => {
    const { proxy, write } = await open();
    proxy.cut();
    await expect(write()).rejects.toThrow('fetch failed');
    proxy.pass();
    expect(await write()).toBe(200);
    expect(await storedVersion()).toBe(1);
  });

  test('answers too late', async () => {
    const { proxy, write } = await open();
    proxy.delay(60_000);
    await expect(write(2_000)).rejects.toThrow('aborted due to timeout');
    await waitFor(async () => (await storedVersion()) === 1, { what: 'the write to arrive', seconds: 60 });
  });
});

describe('a proxy to the API server', () => {
  async function open() {
    const proxy = await startApiProxy();
    onTestFinished(() => proxy.close());
    return { proxy, through: connect(proxy.kubeconfig) };
  }

  test('loses the answer to a change that was made', async () => {
    const { proxy, through } = await open();
    const name = `proxy-${process.pid}`;
    const create = () =>
      through.core.createNamespacedConfigMap({ namespace: 'default', body: { metadata: { name } } });
    const lost = proxy.swallowAnswerTo('POST /api/v1/namespaces/default/configmaps');
    await expect(create()).rejects.toThrow();
    await lost;
    const made = await admin.core.readNamespacedConfigMap({ namespace: 'default', name });
    expect(made.metadata?.name).toBe(name);
    await expect(create()).rejects.toMatchObject({ code: 409 });
  });

  test('loses the answer to a write inside a port-forward', async () => {
    const { proxy, through } = await open();
    const lost = proxy.swallowAnswerTo(`POST /v1/${path}`);
    const [input, output] = [new PassThrough(), new PassThrough()];
    const socket = await new PortForward(through.config).portForward(
      vaultNamespace,
      active.name,
      [8200],
      output,
      null,
      input,
    );
    const body = JSON.stringify({ data: { color: 'red' } });
    input.write(
      `POST /v1/${path} HTTP/1.1\r\nhost: openbao\r\nx-vault-token: ${token}\r\n` +
        `content-length: ${body.length}\r\n\r\n${body}`,
    );
    await lost;
    expect(output.read()).toBeNull();
    expect(await storedVersion()).toBe(1);
    if ('close' in socket) socket.close();
  });
});
