import { describe, expect, test } from 'vitest';
import { HttpError, type HttpRequest, type HttpResponse } from '../../src/services/http.ts';
import { NatsError } from '../../src/services/nats.ts';
import { createNats } from '../../src/services/nats-monitor.ts';

const at = { namespace: 'nats-system', pod: 'nats-1', port: 8222 };
const never = () => new AbortController().signal;

type Answer = Partial<HttpResponse> | Error;

/** A server by path; the answers are those of NATS 2.12.4, shortened. */
function natsOf(answers: Readonly<Record<string, Answer>> = {}) {
  const all: Readonly<Record<string, Answer>> = {
    '/varz': json({ server_id: 'NC37', server_name: 'nats-1', version: '2.12.4', routes: 8, remotes: 2 }),
    '/healthz': json({ status: 'ok' }),
    '/routez': json({
      num_routes: 3,
      routes: [
        { rid: 15, remote_id: 'NBPU', remote_name: 'nats-2' },
        { rid: 18, remote_id: 'NBPU', remote_name: 'nats-2' },
        { rid: 16, remote_id: 'NAUR', remote_name: 'nats-0' },
      ],
    }),
    '/jsz': json({ streams: 0, meta_cluster: { leader: 'nats-0', cluster_size: 3, pending: 2 } }),
    ...answers,
  };
  const requests: HttpRequest[] = [];
  const nats = createNats({
    request: async (request) => {
      requests.push(request);
      const answer = all[new URL(request.url).pathname];
      if (answer instanceof Error) throw answer;
      return { status: 200, headers: {}, body: '', ...answer };
    },
  });
  return { nats, requests };
}

function json(body: unknown, status = 200): Answer {
  return { status, body: JSON.stringify(body) };
}

async function failureOf(answers: Readonly<Record<string, Answer>>): Promise<NatsError> {
  const failure = await natsOf(answers)
    .nats.server(at, never())
    .catch((error: unknown) => error);
  if (failure instanceof NatsError) return failure;
  throw new Error(`no NatsError: ${String(failure)}`);
}

describe('a server', () => {
  test('is asked only for what it tells everybody, through its pod', async () => {
    const { nats, requests } = natsOf();
    await nats.server(at, never());
    expect(requests.map(({ method, url, through }) => [method, new URL(url).pathname, through])).toEqual(
      ['/varz', '/healthz', '/routez', '/jsz'].map((path) => ['GET', path, at]),
    );
  });

  test('names each other server once, however many routes lead to it', async () => {
    expect(await natsOf().nats.server(at, never())).toEqual({
      pod: 'nats-1',
      name: 'nats-1',
      version: '2.12.4',
      problem: '',
      routes: ['nats-0', 'nats-2'],
      meta: { leader: 'nats-0', size: 3, pending: 2, peers: [] },
      streams: [],
    });
  });

  test('without JetStream has no meta group and no streams', async () => {
    const server = await natsOf({ '/jsz': json({ disabled: true }) }).nats.server(at, never());
    expect([server.meta, server.streams]).toEqual([undefined, []]);
  });

  test('without a leader names none', async () => {
    const answer = json({ meta_cluster: { name: 'nats', peer: 'fqA4S4SK', cluster_size: 3, pending: 0 } });
    const { meta } = await natsOf({ '/jsz': answer }).nats.server(at, never());
    expect(meta).toEqual({ leader: undefined, size: 3, pending: 0, peers: [] });
  });

  test('that is not healthy says why, and that is an answer', async () => {
    const error = 'JetStream has not established contact with a meta leader';
    const answer = json({ status: 'unavailable', error }, 503);
    expect((await natsOf({ '/healthz': answer }).nats.server(at, never())).problem).toBe(error);
    const bare = { status: 500, body: 'oops' };
    expect((await natsOf({ '/healthz': bare }).nats.server(at, never())).problem).toBe('status 500');
  });

  test('tells of its copies of streams, sorted', async () => {
    const stream = (name: string, state: object, cluster: object) => ({
      name,
      created: '2026-11-24T18:36:14.156589962Z',
      cluster,
      config: { name, storage: 'memory', num_replicas: 3 },
      state,
    });
    const leading = {
      leader: 'nats-1',
      replicas: [
        { name: 'nats-2', current: true, offline: true, active: 3_899_550_468, lag: 7 },
        { name: 'nats-0', current: true, active: 347_603_971 },
      ],
    };
    const answer = json({
      meta_cluster: { leader: 'nats-0', cluster_size: 3 },
      account_details: [
        {
          name: 'APP',
          stream_detail: [
            stream('TerminateNvcaStream', { messages: 3, bytes: 126, last_seq: 17 }, leading),
            stream('CreateNvcaFunctionTaskStream', { messages: 0, bytes: 0, last_seq: 0 }, {}),
          ],
        },
      ],
    });
    const { streams } = await natsOf({ '/jsz': answer }).nats.server(at, never());
    expect(streams.map(({ name, leader }) => [name, leader])).toEqual([
      ['CreateNvcaFunctionTaskStream', undefined],
      ['TerminateNvcaStream', 'nats-1'],
    ]);
    expect(streams[1]).toEqual({
      account: 'APP',
      name: 'TerminateNvcaStream',
      created: '2026-11-24T18:36:14.156589962Z',
      storage: 'memory',
      replicas: 3,
      leader: 'nats-1',
      peers: [
        { name: 'nats-0', current: true, offline: false, lag: 0 },
        { name: 'nats-2', current: true, offline: true, lag: 7 },
      ],
      messages: 3,
      bytes: 126,
      lastSequence: 17,
    });
  });
});

describe('what is no answer of a NATS server', () => {
  test.each([
    ['another status', { '/varz': { status: 404, body: '{"error":"not found"}' } }, '/varz'],
    ['no JSON', { '/routez': { body: '<html>' } }, '/routez'],
    ['a list', { '/jsz': json([]) }, '/jsz'],
    ['no name', { '/varz': json({ version: '2' }) }, '/varz'],
  ])('%s', async (_, answers, path) => {
    const failure = await failureOf(answers as Readonly<Record<string, Answer>>);
    expect(failure.message).toContain(`nats-system/nats-1:8222${path} does not answer as a NATS server does`);
    expect(failure.retryable).toBe(false);
  });

  test('a connection that fails, which may be better later', async () => {
    const failure = await failureOf({ '/healthz': new HttpError('No answer to GET http://nats-1: refused') });
    expect(failure).toMatchObject({ message: 'No answer to GET http://nats-1: refused', retryable: true });
  });

  test('an abort is not the failure of a server', async () => {
    const stop = new AbortController();
    stop.abort();
    const { nats } = natsOf({ '/varz': new HttpError('stopped') });
    await expect(nats.server(at, stop.signal)).rejects.toBeInstanceOf(HttpError);
  });
});
