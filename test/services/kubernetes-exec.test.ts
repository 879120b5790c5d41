import { describe, expect, test } from 'vitest';
import { type ExecRequest, KubernetesError } from '../../src/services/kubernetes.ts';
import { type FakeAnswer, startFakeApiServer, status } from '../fakes/fake-apiserver.ts';
import { acceptWebSocket, type FakeChannel } from '../fakes/fake-websocket.ts';

const request: ExecRequest = { namespace: 'n', pod: 'p', container: 'c', command: ['run', '--argument'] };
const success = '{"status":"Success"}';
const failed = (code: number) =>
  JSON.stringify({
    status: 'Failure',
    reason: 'NonZeroExitCode',
    details: { causes: [{ reason: 'ExitCode', message: String(code) }] },
  });

async function serve(talk: (channel: FakeChannel) => unknown, answer: () => FakeAnswer = () => ({})) {
  const server = await startFakeApiServer(answer);
  server.onUpgrade((handshake, socket) => {
    const [protocol = ''] = String(handshake.headers['sec-websocket-protocol']).split(', ');
    Promise.resolve(talk(acceptWebSocket(handshake, socket, protocol))).catch(() => socket.destroy());
  });
  return server;
}

async function failureOf(call: Promise<unknown>): Promise<KubernetesError> {
  const failure = await call.then(
    (value) => value,
    (cause: unknown) => cause,
  );
  if (failure instanceof KubernetesError) return failure;
  throw new Error(`expected a failure, got ${JSON.stringify(failure)}`);
}

const never = () => new AbortController().signal;

describe('exec', () => {
  test('the exit code comes from the status, and output after it is still taken', async () => {
    await using server = await serve((channel) => {
      channel.send(1, 'out');
      channel.send(3, failed(4));
      channel.send(2, 'late');
      channel.close();
    });
    expect(await server.kubernetes.exec(request, never())).toEqual({
      exitCode: 4,
      stdout: 'out',
      stderr: 'late',
    });
    const [handshake] = server.requests;
    expect(handshake?.path).toBe('/api/v1/namespaces/n/pods/p/exec');
    expect(handshake?.query.getAll('command')).toEqual(['run', '--argument']);
    expect(handshake?.headers['sec-websocket-protocol']).toBe('v5.channel.k8s.io, v4.channel.k8s.io');
  });

  test.each([
    ['says goodbye', (channel: FakeChannel) => channel.close()],
    ['breaks', (channel: FakeChannel) => channel.cut()],
  ])('without a status the outcome is unknown when the server %s', async (_, end) => {
    await using server = await serve((channel) => {
      channel.send(1, 'done, really');
      end(channel);
    });
    const failure = await failureOf(server.kubernetes.exec(request, never()));
    expect(failure).toMatchObject({ outcome: 'unknown' });
    expect(failure.message).toContain('exit code is unknown');
    expect(failure.message).not.toContain('--argument');
    expect(await failureOf(server.kubernetes.execRead(request, never()))).toMatchObject({
      outcome: 'not-applied',
    });
  });

  test('with the status in hand a broken connection does not matter', async () => {
    await using server = await serve((channel) => {
      channel.send(3, success);
      channel.cut();
    });
    expect(await server.kubernetes.exec(request, never())).toMatchObject({ exitCode: 0 });
  });

  test('stdin is sent in chunks and then closed, and only where that is possible', async () => {
    const input = Buffer.alloc(100_000, 'x');
    let received = 0;
    await using server = await serve(async (channel) => {
      for (;;) {
        const { payload } = await channel.next();
        if (payload[0] === 255) break;
        received += payload.length - 1;
      }
      channel.send(3, success);
      channel.close();
    });
    expect(await server.kubernetes.exec({ ...request, stdin: input }, never())).toMatchObject({
      exitCode: 0,
    });
    expect(received).toBe(input.length);
    expect(server.requests[0]?.headers['sec-websocket-protocol']).toBe('v5.channel.k8s.io');
  });

  test('an error of the runtime that is no exit code leaves the outcome unknown', async () => {
    await using server = await serve((channel) => {
      channel.send(3, '{"status":"Failure","reason":"InternalError","code":500,"message":"something broke"}');
      channel.close();
    });
    const failure = await failureOf(server.kubernetes.exec(request, never()));
    expect(failure).toMatchObject({ outcome: 'unknown' });
    expect(failure.message).toContain('something broke');
  });

  test('a pod that was replaced meanwhile leaves the outcome unknown', async () => {
    const uids = ['u1', 'u2'];
    const answer = () => ({ body: { kind: 'Pod', metadata: { name: 'p', uid: uids.shift() } } });
    await using server = await serve((channel) => {
      channel.send(3, success);
      channel.close();
    }, answer);
    const failure = await failureOf(server.kubernetes.exec({ ...request, uid: 'u1' }, never()));
    expect(failure).toMatchObject({ reason: 'Replaced', outcome: 'unknown' });
    expect(failure.message).toContain('u2');
  });

  test('a cancelled command leaves the outcome unknown', async () => {
    const stop = new AbortController();
    await using server = await serve((channel) => {
      channel.send(1, 'running');
      stop.abort();
    });
    const failure = await failureOf(server.kubernetes.exec(request, stop.signal));
    expect(failure).toMatchObject({ outcome: 'unknown' });
  });

  test('pings are answered while the program runs', async () => {
    let answered: string | undefined;
    await using server = await serve(async (channel) => {
      channel.frame(9, Buffer.from('hello?'));
      const { opcode, payload } = await channel.next();
      if (opcode === 10) answered = payload.toString();
      channel.send(3, success);
      channel.close();
    });
    await server.kubernetes.exec(request, never());
    expect(answered).toBe('hello?');
  });
});

describe('a refused handshake', () => {
  const refuse = (answer: string) => async () => {
    const server = await startFakeApiServer(() => ({}));
    server.onUpgrade((_, socket) => socket.end(answer));
    return server;
  };

  test('keeps what the API server said, and changed nothing', async () => {
    const body = JSON.stringify({ kind: 'Status', reason: 'Forbidden', message: 'no pods/exec for you' });
    await using server = await refuse(
      `HTTP/1.1 403 Forbidden\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`,
    )();
    const failure = await failureOf(server.kubernetes.exec(request, never()));
    expect(failure).toMatchObject({ status: 403, outcome: 'not-applied' });
    expect(failure.message).toContain('no pods/exec for you');
  });

  test('a server that switches to something else is not trusted', async () => {
    await using server = await refuse(
      'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: wrong\r\n\r\n',
    )();
    expect(await failureOf(server.kubernetes.exec(request, never()))).toMatchObject({ outcome: 'unknown' });
  });
});

describe('port-forward', () => {
  const port = Buffer.from([0x20, 0x08]);
  const ref = { namespace: 'n', pod: 'p', port: 8200 };

  test('carries bytes both ways, without the port numbers', async () => {
    await using server = await serve(async (channel) => {
      channel.send(0, port);
      channel.send(1, port);
      const { payload } = await channel.next();
      channel.send(0, `you said ${payload.subarray(1)}`);
      channel.close();
    });
    const stream = await server.kubernetes.portForward(ref);
    stream.write('hello');
    const chunks: Buffer[] = [];
    for await (const chunk of stream) chunks.push(chunk);
    expect(Buffer.concat(chunks).toString()).toBe('you said hello');
    expect(server.requests[0]?.query.get('ports')).toBe('8200');
  });

  test('an error of the kubelet ends the stream with its reason', async () => {
    await using server = await serve((channel) => {
      channel.send(0, port);
      channel.send(1, port);
      channel.send(1, 'connection refused inside');
    });
    const stream = await server.kubernetes.portForward(ref);
    const failure = await failureOf(new Promise((_, reject) => stream.once('error', reject)));
    expect(failure.message).toContain('connection refused inside');
  });

  test('a broken connection is an error, not an end', async () => {
    await using server = await serve((channel) => {
      channel.send(0, port);
      channel.cut();
    });
    const stream = await server.kubernetes.portForward(ref);
    stream.resume();
    const failure = await failureOf(new Promise((_, reject) => stream.once('error', reject)));
    expect(failure).toMatchObject({ reason: 'Unreachable' });
  });

  test('a refused one names pod and port', async () => {
    await using server = await startFakeApiServer(() => status(404, 'NotFound'));
    const body = JSON.stringify({ kind: 'Status', reason: 'NotFound', message: 'pods "p" not found' });
    server.onUpgrade((_, socket) =>
      socket.end(
        `HTTP/1.1 404 Not Found\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`,
      ),
    );
    const failure = await failureOf(server.kubernetes.portForward(ref));
    expect(failure.message).toContain('reach port 8200 of Pod n/p');
    expect(failure.status).toBe(404);
  });
});
