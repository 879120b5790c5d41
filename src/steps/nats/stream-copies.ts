import type { NatsStreamsOutputs } from '../../generated/types.ts';
import type { NatsServer, NatsStream } from '../../services/nats.ts';
import type { Asked } from './servers.ts';

type Stream = NatsStreamsOutputs['streams'][number];

export interface StreamName {
  readonly account: string;
  readonly name: string;
}

interface Copy {
  readonly server: NatsServer;
  readonly stream: NatsStream;
}

/** Every stream that any server has, sorted. */
export function namesOf(asked: readonly Asked[]): readonly StreamName[] {
  const names = new Map<string, StreamName>();
  for (const { server } of asked)
    for (const { account, name } of server?.streams ?? [])
      names.set(JSON.stringify([account, name]), { account, name });
  return [...names.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, at]) => at);
}

function copiesOf(asked: readonly Asked[], at: StreamName): readonly Copy[] {
  return asked.flatMap(({ server }) => {
    const stream = server?.streams.find(({ account, name }) => account === at.account && name === at.name);
    return server === undefined || stream === undefined ? [] : [{ server, stream }];
  });
}

/** The copy of the server that says of itself that it leads. */
function leading(copies: readonly Copy[]): Copy | undefined {
  return copies.find(({ server, stream }) => stream.leader === server.name || stream.replicas === 1);
}

/** Pods with a copy that has less than the leader's had when both were asked. */
export function behind(asked: readonly Asked[]): ReadonlySet<string> {
  const late = new Set<string>();
  for (const at of namesOf(asked)) {
    const copies = copiesOf(asked, at);
    const last = leading(copies)?.stream.lastSequence ?? 0;
    for (const { server, stream } of copies) if (stream.lastSequence < last) late.add(server.pod);
  }
  return late;
}

/** The newer answer of a pod, unless it gave none. */
export function reread(before: Asked, after: Asked): Asked {
  return after.server === undefined && before.server !== undefined
    ? { ...before, server: undefined, error: after.error }
    : after;
}

/**
 * A stream from all its copies. A copy counts when the leader says that it is current and online (no follower knows that of
 * another), and when it holds by itself what the leader held at the first look: a leader believes for a while in a copy that was
 * lost with its server.
 */
export function assess(
  at: StreamName,
  seen: { readonly asked: readonly Asked[]; readonly first: readonly Asked[] },
): Stream {
  const copies = copiesOf(seen.asked, at);
  const lead = leading(copies);
  const before = leading(copiesOf(seen.first, at))?.stream ?? lead?.stream;
  const sound = copies.filter((copy) => isSound(copy, lead, before?.lastSequence ?? 0));
  const shown = lead?.stream ?? copies[0]?.stream;
  const replicas = shown?.replicas ?? 0;
  const current = lead === undefined ? 0 : sound.length;
  return {
    ...at,
    created: shown?.created ?? '',
    leader: lead?.server.name ?? '',
    storage: shown?.storage ?? '',
    replicas,
    current,
    messages: shown?.messages ?? 0,
    bytes: shown?.bytes ?? 0,
    lastSequence: shown?.lastSequence ?? 0,
    complete: lead !== undefined && current === replicas,
    problem: problemOf({ copies, sound, lead, replicas }),
  };
}

function isSound({ server, stream }: Copy, lead: Copy | undefined, wanted: number): boolean {
  if (lead === undefined) return false;
  if (server.name === lead.server.name) return true;
  const peer = lead.stream.peers.find(({ name }) => name === server.name);
  return (
    peer?.current === true &&
    !peer.offline &&
    stream.leader === lead.server.name &&
    stream.created === lead.stream.created &&
    stream.lastSequence >= wanted
  );
}

function problemOf(seen: {
  readonly copies: readonly Copy[];
  readonly sound: readonly Copy[];
  readonly lead: Copy | undefined;
  readonly replicas: number;
}): string {
  const { copies, sound, lead, replicas } = seen;
  if (lead === undefined) return 'no server that answered leads it';
  if (sound.length === replicas) return '';
  const late = copies.filter((copy) => !sound.includes(copy)).map(({ server }) => server.name);
  const text = `${sound.length} of ${replicas} copies are current`;
  return late.length === 0 ? text : `${text}; not on ${late.join(', ')}`;
}
