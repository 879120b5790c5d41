import { type AddressInfo, createServer, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import {
  type CqlType,
  type Frame,
  frame,
  int,
  opcodes,
  preparedResult,
  type Rows,
  rowsResult,
  short,
  takeFrames,
  text,
  voidResult,
} from './cql-frames.ts';

/** What a node does with a statement: answer, refuse, break the connection once it was received, or say nothing. */
export type CqlAnswer =
  | Rows
  | 'done'
  | 'cut'
  | 'silence'
  | { readonly error: number; readonly message: string };

export interface FakeNode {
  readonly name: string;
  readonly ip: string;
  readonly port: number;
  /** Statements that were executed here, batches as `BATCH n`. */
  readonly executed: readonly string[];
  stop(): Promise<void>;
}

export interface FakeCassandra extends AsyncDisposable {
  readonly nodes: readonly FakeNode[];
  /** Statements executed by all nodes, in the order in which they came. */
  executed(): readonly string[];
}

export interface FakeCassandraOptions {
  readonly user: string;
  readonly password: string;
  readonly answer: (statement: string, node: string) => CqlAnswer;
  /** Addresses of the nodes, which name each other by them. */
  readonly ips?: readonly string[];
  /** PEM; absent: clients are served without TLS. */
  readonly tls?: { readonly key: string; readonly cert: string };
}

export const codes = {
  serverError: 0x0000,
  badCredentials: 0x0100,
  unavailable: 0x1000,
  overloaded: 0x1001,
  writeTimeout: 0x1100,
  readTimeout: 0x1200,
  unauthorized: 0x2100,
  invalid: 0x2200,
} as const;

/** Nodes that speak the native protocol, version 4, on loopback. Their sockets do not keep the process alive. */
export async function startFakeCassandra(options: FakeCassandraOptions): Promise<FakeCassandra> {
  const ips = options.ips ?? ['10.0.0.1', '10.0.0.2', '10.0.0.3'];
  const executed: string[] = [];
  const answer: FakeCassandraOptions['answer'] = (statement, node) => {
    executed.push(statement);
    return options.answer(statement, node);
  };
  const nodes = await Promise.all(ips.map((_, index) => startNode(index, ips, { ...options, answer })));
  return {
    nodes,
    executed: () => executed,
    [Symbol.asyncDispose]: async () => {
      await Promise.all(nodes.map((node) => node.stop()));
    },
  };
}

async function startNode(
  index: number,
  ips: readonly string[],
  options: FakeCassandraOptions,
): Promise<FakeNode> {
  const name = `cassandra-${index}`;
  const executed: string[] = [];
  const sockets = new Set<Socket>();
  const serve = (socket: Socket) => {
    sockets.add(socket.unref());
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => socket.destroy());
    const prepared = new Map<number, string>();
    let received = Buffer.alloc(0);
    socket.on('data', (chunk: Buffer) => {
      const { frames, rest } = takeFrames(Buffer.concat([received, chunk]));
      received = Buffer.from(rest);
      for (const one of frames) {
        const reply = respond(one, { name, index, ips, options, prepared, executed });
        if (reply === 'cut') socket.destroy();
        else if (reply !== 'silence') socket.write(frame(one.stream, ...reply));
      }
    });
  };
  const server = options.tls === undefined ? createServer(serve) : createTlsServer(options.tls, serve);
  server.on('tlsClientError', (_, socket) => socket.destroy());
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  server.unref();
  return {
    name,
    ip: ips[index] ?? '',
    port: (server.address() as AddressInfo).port,
    executed,
    stop: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => {
        server.close(resolve);
      });
    },
  };
}

interface NodeState {
  readonly name: string;
  readonly index: number;
  readonly ips: readonly string[];
  readonly options: FakeCassandraOptions;
  readonly prepared: Map<number, string>;
  readonly executed: string[];
}

type Reply = 'cut' | 'silence' | readonly [opcode: number, body?: Buffer];

function respond({ opcode, body }: Frame, node: NodeState): Reply {
  switch (opcode) {
    case opcodes.startup:
      return [opcodes.authenticate, text('org.apache.cassandra.auth.PasswordAuthenticator')];
    case opcodes.authResponse: {
      const [, user, password] = body.subarray(4).toString('utf8').split('\0');
      if (user === node.options.user && password === node.options.password)
        return [opcodes.authSuccess, int(-1)];
      return error(codes.badCredentials, `Provided username ${user} and/or password are incorrect`);
    }
    case opcodes.options:
      return [opcodes.supported, short(0)];
    case opcodes.register:
      return [opcodes.ready];
    case opcodes.query:
      return query(body.subarray(4, 4 + body.readInt32BE(0)).toString('utf8'), node);
    case opcodes.prepare: {
      const statement = body.subarray(4, 4 + body.readInt32BE(0)).toString('utf8');
      const id = node.prepared.size + 1;
      node.prepared.set(id, statement);
      return [opcodes.result, preparedResult(id, paramsOf(statement))];
    }
    case opcodes.execute:
      return execute(node.prepared.get(body.readInt32BE(2)) ?? 'unknown', node);
    case opcodes.batch:
      return execute(`BATCH ${body.readUInt16BE(1)}`, node);
    default:
      return error(codes.serverError, `no answer to opcode ${opcode}`);
  }
}

/** What the driver asks about the ring. */
function query(statement: string, node: NodeState): Reply {
  const { ips, index } = node;
  const columns = {
    rpc_address: 'inet',
    peer: 'inet',
    data_center: 'text',
    rack: 'text',
    host_id: 'uuid',
    schema_version: 'uuid',
    release_version: 'text',
    partitioner: 'text',
    tokens: 'texts',
  } as const;
  const about = (ip: string, number: number) => ({
    rpc_address: ip,
    peer: ip,
    data_center: 'ncp',
    rack: 'r1',
    host_id: `00000000-0000-4000-8000-00000000000${number}`,
    schema_version: '11111111-1111-4111-8111-111111111111',
    release_version: '5.0.5',
    partitioner: 'org.apache.cassandra.dht.Murmur3Partitioner',
    tokens: [String(number * 1000)],
  });
  const all = ips.map(about);
  if (statement.includes('system.local')) {
    return [opcodes.result, rowsResult({ columns, rows: all.filter((_, other) => other === index) })];
  }
  if (statement.includes('system.peers')) {
    return [opcodes.result, rowsResult({ columns, rows: all.filter((_, other) => other !== index) })];
  }
  return execute(statement, node);
}

function execute(statement: string, node: NodeState): Reply {
  node.executed.push(statement);
  const answer = node.options.answer(statement, node.name);
  if (answer === 'cut' || answer === 'silence') return answer;
  if (answer === 'done') return [opcodes.result, voidResult];
  if ('error' in answer) return error(answer.error, answer.message);
  return [opcodes.result, rowsResult(answer)];
}

/** Followed by what the protocol adds to some codes: consistency, answers got and needed, kind of write. */
function error(code: number, message: string): Reply {
  const quorum = Buffer.concat([short(6), int(2), int(1)]);
  const more =
    code === codes.writeTimeout
      ? Buffer.concat([quorum, text('UNLOGGED_BATCH')])
      : code === codes.readTimeout
        ? Buffer.concat([quorum, Buffer.from([0])])
        : code === codes.unavailable
          ? quorum
          : Buffer.alloc(0);
  return [opcodes.error, Buffer.concat([int(code), text(message), more])];
}

function paramsOf(statement: string): readonly CqlType[] {
  if (statement.startsWith('INSERT'))
    return ['text', 'text', 'timestamp', 'timeuuid', 'text', 'text', 'text'];
  return [...statement.matchAll(/\?/gu)].map(() => 'text');
}
