import { randomUUID } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import type { Connection } from './api.ts';
import { natsNamespace } from './manifests/nats.ts';
import { waitFor } from './shell.ts';
import { podsOf } from './workloads.ts';

/** The streams that the Spot Instance Service makes, as it makes them. */
export const natsStreams = ['TerminateNvcaStream', 'CreateNvcaFunctionTaskStream'] as const;

/** Messages that the seed puts into each. */
export const seededMessages = 3;

/** What JetStream says about a stream. */
export interface StreamInfo {
  created: string;
  config: { name: string; storage: string; num_replicas: number };
  state: { messages: number; last_seq: number };
  cluster: { leader?: string; replicas?: { name: string; current: boolean }[] };
}

/** An answer of JetStream's API. */
type Answer<T> = T & { error?: { code: number; description: string } };

/** Asks on a subject, with a body, and waits for the answer. */
type Ask = <T>(subject: string, body?: object | string) => Promise<Answer<T>>;

/** Makes the streams that are missing. */
export async function ensureStreams(connection: Connection): Promise<void> {
  await settle(connection, () => true);
}

/** Gives NATS exactly the streams of the seed, with exactly its messages. */
export async function restoreStreams(connection: Connection): Promise<void> {
  await settle(connection, ({ config, state }) => {
    return config.storage === 'memory' && config.num_replicas === 3 && state.messages === seededMessages;
  });
}

/** A stream as its leader has it; undefined when there is none. */
export async function streamInfo(connection: Connection, name: string): Promise<StreamInfo | undefined> {
  return withNats(connection, (ask) => infoOf(ask, name));
}

/** Puts messages into a stream; each is acknowledged by most of the replicas. */
export async function publish(connection: Connection, name: string, count: number): Promise<void> {
  await withNats(connection, async (ask) => {
    for (let at = 0; at < count; at += 1) await publishOne(ask, name);
  });
}

/** Takes a stream away, with all its messages. */
export async function deleteStream(connection: Connection, name: string): Promise<void> {
  await withNats(connection, (ask) => remove(ask, name));
}

async function settle(connection: Connection, fits: (info: StreamInfo) => boolean): Promise<void> {
  await waitFor(
    async () => {
      await withNats(connection, async (ask) => {
        for (const name of natsStreams) {
          const found = await infoOf(ask, name);
          if (found !== undefined && fits(found)) continue;
          if (found !== undefined) await remove(ask, name);
          await create(ask, name);
        }
      });
      return true;
    },
    { what: 'the streams to be in NATS', seconds: 120, everyMs: 500 },
  );
}

async function create(ask: Ask, name: string): Promise<void> {
  const wanted = { name, subjects: [`${name}.>`], storage: 'memory', num_replicas: 3 };
  granted(await ask(`$JS.API.STREAM.CREATE.${name}`, wanted));
  for (let at = 0; at < seededMessages; at += 1) await publishOne(ask, name);
}

async function publishOne(ask: Ask, name: string): Promise<void> {
  granted(await ask(`${name}.seed`, 'a message'));
}

async function remove(ask: Ask, name: string): Promise<void> {
  granted(await ask(`$JS.API.STREAM.DELETE.${name}`));
}

async function infoOf(ask: Ask, name: string): Promise<StreamInfo | undefined> {
  const answer = await ask<StreamInfo>(`$JS.API.STREAM.INFO.${name}`);
  return answer.error?.code === 404 ? undefined : granted(answer);
}

function granted<T>(answer: Answer<T>): T {
  if (answer.error !== undefined) throw new Error(`JetStream: ${answer.error.description}`);
  return answer;
}

/** Speaks with the first pod that takes a connection. */
async function withNats<T>(connection: Connection, work: (ask: Ask) => Promise<T>): Promise<T> {
  const pods = await podsOf(connection, natsNamespace, 'app.kubernetes.io/component=nats');
  const address = pods.find(({ status }) => status?.podIP !== undefined)?.status?.podIP;
  if (address === undefined) throw new Error('no pod of NATS has an address');
  const socket = connect(4222, address);
  try {
    return await work(session(socket));
  } finally {
    socket.destroy();
  }
}

/** Requests one after the other over NATS's text protocol, as far as they need it. */
function session(socket: Socket): Ask {
  // Everybody who listens on a subject gets its answers.
  const inbox = `_INBOX.${randomUUID()}`;
  let received = '';
  let settled: { resolve(body: string): void; reject(cause: Error): void } | undefined;
  socket.setTimeout(5_000, () => socket.destroy(new Error('NATS did not answer within 5 s')));
  socket.setEncoding('utf8');
  socket.write(`CONNECT {"verbose":false,"pedantic":false}\r\nSUB ${inbox} 1\r\n`);
  socket.on('error', (cause) => settled?.reject(cause));
  socket.on('close', () => settled?.reject(new Error('NATS closed the connection')));
  socket.on('data', (text: string) => {
    received += text;
    const [head, size] = /MSG \S+ 1 (?:\S+ )?(\d+)\r\n/.exec(received) ?? [];
    if (head === undefined) return;
    const start = received.indexOf(head) + head.length;
    // Nothing here is anything but ASCII, so characters are bytes.
    const body = received.slice(start, start + Number(size));
    if (body.length < Number(size)) return;
    received = received.slice(start + Number(size));
    settled?.resolve(body);
  });
  return async <T>(subject: string, body: object | string = '') => {
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    const answer = new Promise<string>((resolve, reject) => {
      settled = { resolve, reject };
    });
    socket.write(`PUB ${subject} ${inbox} ${Buffer.byteLength(text)}\r\n${text}\r\n`);
    return JSON.parse(await answer) as Answer<T>;
  };
}
