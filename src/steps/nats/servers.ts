import type { Access, ReadContext, Resource } from '../../engine/step-type.ts';
import { NatsError, type NatsPod, type NatsServer } from '../../services/nats.ts';
import { listMatching } from '../kubectl/pod-list.ts';
import { access } from '../kubectl/target.ts';
import { portForwardAccess } from '../pod-access.ts';

/** A server that takes longer to answer is as good as unreachable; in milliseconds. */
const patience = 10_000;

export const defaultPort = 8222;

export interface NatsTarget {
  readonly namespace: string;
  readonly selector: string;
  readonly port?: number;
}

/** One pod and what it said. */
export interface Asked {
  readonly pod: string;
  /** Undefined: it did not answer, so nothing about it is known. */
  readonly server: NatsServer | undefined;
  readonly error: string;
}

export function natsResources({ namespace }: NatsTarget): readonly Resource[] {
  const place = namespace.includes('‹') ? '*' : namespace;
  return [
    { path: `nats/${place}/*`, mode: 'read' },
    { path: `kubernetes/${place}/pods/*`, mode: 'read' },
  ];
}

export function natsAccess({ namespace }: NatsTarget): readonly Access[] {
  return [...portForwardAccess(namespace), ...access(['get'], 'namespaces', { name: namespace })];
}

/** Asks every pod itself; the ones on their way out count as silent. No pod at all is an error. */
export async function askEvery(ctx: ReadContext, target: NatsTarget): Promise<readonly Asked[]> {
  const { namespace, selector, port = defaultPort } = target;
  const pods = await listMatching(ctx, { namespace, selector });
  return await Promise.all(
    pods.map(({ metadata: { name, deletionTimestamp } }) =>
      deletionTimestamp === undefined
        ? askOne(ctx, { namespace, pod: name, port })
        : { pod: name, server: undefined, error: 'it is being deleted' },
    ),
  );
}

export async function askOne(ctx: ReadContext, at: NatsPod): Promise<Asked> {
  const stop = new AbortController();
  const signal = AbortSignal.any([ctx.signal, stop.signal]);
  const silent = (error: string): Asked => ({ pod: at.pod, server: undefined, error });
  const late = ctx.services.clock
    .sleep(patience, signal)
    .then(() => silent(`no answer within ${patience / 1000} s`));
  const answer = ctx.services.nats.server(at, signal).then(
    (server): Asked => ({ pod: at.pod, server, error: '' }),
    (error: unknown) => {
      if (error instanceof NatsError) return silent(error.message);
      throw error;
    },
  );
  try {
    return await Promise.race([answer, late]);
  } finally {
    stop.abort();
  }
}
