import { describe, expect, test } from 'vitest';
import { Secret } from '../../src/engine/secret.ts';
import { HttpError } from '../../src/services/http.ts';
import { createHttpClient } from '../../src/services/http-fetch.ts';
import { startLocalServer } from '../fakes/local-server.ts';

const never = () => new AbortController().signal;
const noPods = { portForward: () => Promise.reject(new Error('no pods here')) };
const http = createHttpClient(noPods);

describe('a request', () => {
  test('any status is an answer, with headers and body', async () => {
    await using server = await startLocalServer((_, response) => {
      response.writeHead(503, { 'x-why': 'tired', 'set-cookie': ['a=1', 'b=2'] });
      response.end('nöt now');
    });
    const answer = await http.request({ method: 'GET', url: `${server.url}/health?x=1` }, never());
    expect(answer).toMatchObject({
      status: 503,
      body: 'nöt now',
      headers: { 'x-why': 'tired', 'set-cookie': 'a=1, b=2' },
    });
    expect(server.requests[0]?.url).toBe('/health?x=1');
  });

  test('carries text and secret headers', async () => {
    await using server = await startLocalServer((_, response) => response.end());
    const headers = { accept: 'text/plain', authorization: Secret.fromText('token', 'Bearer hunter2\n') };
    await http.request({ method: 'HEAD', url: server.url, headers }, never());
    expect(server.requests[0]?.method).toBe('HEAD');
    expect(server.requests[0]?.headers).toMatchObject({
      accept: 'text/plain',
      authorization: 'Bearer hunter2',
    });
  });

  test('a failed connection is an error without user, password or query', async () => {
    const server = await startLocalServer(() => undefined);
    await server[Symbol.asyncDispose]();
    const url = `${server.url.replace('//', '//me:hunter2@')}/path?token=hunter2`;
    const failure = await http.request({ method: 'GET', url }, never()).catch((cause: unknown) => cause);
    expect(failure).toBeInstanceOf(HttpError);
    expect(String(failure)).toContain(`${server.url}/path: the connection was refused`);
    expect(String(failure)).not.toContain('hunter2');
  });

  test('a broken and a cancelled answer are errors', async () => {
    await using server = await startLocalServer((_, response) => {
      response.writeHead(200, { 'content-length': '100' });
      response.write('half', () => response.socket?.resetAndDestroy());
    });
    await expect(http.request({ method: 'GET', url: server.url }, never())).rejects.toThrow(
      'No answer to GET',
    );
    await using silent = await startLocalServer(() => undefined);
    const stop = new AbortController();
    const pending = http.request({ method: 'GET', url: silent.url }, stop.signal);
    setImmediate(() => stop.abort());
    await expect(pending).rejects.toThrow('it was cancelled');
  });

  test('a body over 10 MiB is refused', async () => {
    await using server = await startLocalServer((_, response) =>
      response.end(Buffer.alloc(11 * 1024 * 1024)),
    );
    await expect(http.request({ method: 'GET', url: server.url }, never())).rejects.toThrow(
      'larger than 10 MiB',
    );
  });

  test.each(['ftp://host/x', 'not a url', ''])('"%s" is no address', async (url) => {
    await expect(http.request({ method: 'GET', url }, never())).rejects.toThrow('no http or https URL');
  });
});

describe('redirects', () => {
  test('are followed within the origin', async () => {
    await using server = await startLocalServer((request, response) => {
      if (request.url === '/new') response.end('here');
      else response.writeHead(302, { location: '/new' }).end();
    });
    expect(await http.request({ method: 'GET', url: `${server.url}/old` }, never())).toMatchObject({
      body: 'here',
    });
  });

  test('to another host are an answer, and no secret follows them', async () => {
    await using other = await startLocalServer((_, response) => response.end('gotcha'));
    await using server = await startLocalServer((_, response) =>
      response.writeHead(302, { location: other.url }).end(),
    );
    const headers = { authorization: Secret.fromText('token', 'hunter2') };
    const answer = await http.request({ method: 'GET', url: server.url, headers }, never());
    expect(answer.status).toBe(302);
    expect(other.requests).toEqual([]);
  });

  test('in a circle end with the last answer', async () => {
    await using server = await startLocalServer((_, response) =>
      response.writeHead(302, { location: '/' }).end(),
    );
    expect(await http.request({ method: 'GET', url: server.url }, never())).toMatchObject({ status: 302 });
    expect(server.requests).toHaveLength(6);
  });
});

describe('through a pod', () => {
  const through = { namespace: 'n', pod: 'p', port: 8080 };

  test('one stream is opened and kept for the next requests', async () => {
    await using server = await startLocalServer((request, response) => response.end(request.url));
    const asked: unknown[] = [];
    const client = createHttpClient({
      portForward: (ref) => {
        asked.push(ref);
        return server.open();
      },
    });
    for (const path of ['/a', '/b', '/c']) {
      const url = `http://service.example${path}`;
      expect(await client.request({ method: 'GET', url, through }, never())).toMatchObject({ body: path });
    }
    expect(asked).toEqual([through]);
    expect(server.connections()).toBe(1);
    expect(server.requests[0]?.headers.host).toBe('service.example');
  });

  test('a stream that cannot be opened is an error that names the pod', async () => {
    await expect(http.request({ method: 'GET', url: 'http://x/y', through }, never())).rejects.toThrow(
      'No answer to GET http://x/y through pod n/p:8080: no pods here',
    );
  });
});

describe('sending', () => {
  const body = Secret.fromText('body', '{"data":"canary"}');

  async function echo() {
    const bodies: string[] = [];
    const server = await startLocalServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        bodies.push(Buffer.concat(chunks).toString());
        response.writeHead(201).end('{"ok":true}');
      });
    });
    return Object.assign(server, { bodies });
  }

  test.each(['POST', 'PUT', 'PATCH', 'DELETE'] as const)('%s carries the body as JSON', async (method) => {
    await using server = await echo();
    const answer = await http.send({ method, url: `${server.url}/v1/x`, body }, never());
    expect(answer).toMatchObject({ status: 201, body: '{"ok":true}' });
    expect(server.bodies).toEqual(['{"data":"canary"}']);
    expect(server.requests[0]).toMatchObject({ method, headers: { 'content-type': 'application/json' } });
  });

  test('without a body, and with a type of its own', async () => {
    await using server = await echo();
    await http.send({ method: 'DELETE', url: server.url }, never());
    const headers = { 'content-type': 'text/plain' };
    await http.send({ method: 'POST', url: server.url, headers, body }, never());
    expect(server.requests.map((request) => request.headers['content-type'])).toEqual([
      undefined,
      'text/plain',
    ]);
  });

  test('follows no redirect', async () => {
    await using server = await startLocalServer((_, response) =>
      response.writeHead(307, { location: '/elsewhere' }).end(),
    );
    expect(await http.send({ method: 'POST', url: server.url, body }, never())).toMatchObject({
      status: 307,
    });
    expect(server.requests.length).toBe(1);
  });

  test('without an answer says whether the request may have arrived, and nothing of what it carried', async () => {
    await using server = await startLocalServer((_, response) => response.socket?.resetAndDestroy());
    const { url } = server;
    const lost = await http.send({ method: 'PUT', url, body }, never()).catch((cause: unknown) => cause);
    expect(lost).toMatchObject({ name: 'HttpError', sent: true, message: expect.stringContaining('PUT') });
    expect(String(lost)).not.toContain('canary');
    await server[Symbol.asyncDispose]();
    const refused = http.send({ method: 'PUT', url, body }, never());
    await expect(refused).rejects.toMatchObject({ sent: false });
    await expect(http.send({ method: 'PUT', url: 'x:y', body }, never())).rejects.toMatchObject({
      sent: false,
    });
  });

  test('goes through a pod', async () => {
    await using server = await echo();
    const through = { namespace: 'ess', pod: 'ess-0', port: 8080 };
    const inPod = createHttpClient({ portForward: () => server.open() });
    await inPod.send({ method: 'PUT', url: 'http://ess/v1/x', through, body }, never());
    expect(server.requests[0]?.url).toBe('/v1/x');
    const unreachable = http.send({ method: 'PUT', url: 'http://ess/v1/x', through, body }, never());
    await expect(unreachable).rejects.toMatchObject({
      sent: false,
      message: expect.stringContaining('through pod ess/ess-0:8080'),
    });
  });
});
