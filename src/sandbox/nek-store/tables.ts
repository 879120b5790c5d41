import { createHash } from 'node:crypto';
import type { World } from '../world.ts';
import { seedApiKeys, seedPartition } from './seed.ts';
import type { Partition, RingPlace, StoredApiKey, StoredSecret } from './state.ts';

/** Every namespace that has a partition, in order: what was looked at first leaves no trace. */
export function namespacesOf(world: World): readonly string[] {
  const { unbuilt, partitions } = world.cassandra;
  return [...new Set([...unbuilt.keys(), ...partitions.keys()])].sort();
}

/** The keys of a namespace; one that was seeded is made now. */
export function partitionOf(world: World, namespace: string): Partition | undefined {
  const { unbuilt, partitions } = world.cassandra;
  const index = unbuilt.get(namespace);
  if (index !== undefined) {
    unbuilt.delete(namespace);
    partitions.set(namespace, seedPartition(world.cassandra, world, { namespace, index }));
  }
  return partitions.get(namespace);
}

export function partitionToWrite(world: World, namespace: string): Partition {
  const known = partitionOf(world, namespace);
  if (known !== undefined) return known;
  const created: Partition = { currentKid: undefined, rows: [] };
  world.cassandra.partitions.set(namespace, created);
  return created;
}

/** The newest version of every secret, by namespace and path. */
export function secretsOf(world: World): readonly StoredSecret[] {
  for (const namespace of namespacesOf(world)) partitionOf(world, namespace);
  const { secrets } = world.cassandra;
  return [...secrets.keys()].sort().flatMap((key) => secrets.get(key) ?? []);
}

/** All API keys by hash; the seeded ones are made now. */
export function apiKeysOf(world: World): Map<string, StoredApiKey> {
  world.cassandra.apiKeys ??= seedApiKeys(world.cassandra, world);
  return world.cassandra.apiKeys;
}

/** A write timestamp in microseconds, later than every one before. */
export function stamp(world: World): number {
  const { cassandra, timeline } = world;
  cassandra.lastStamp = Math.max(cassandra.lastStamp + 1, timeline.now * 1000);
  return cassandra.lastStamp;
}

/** Where the partitions lie, in the order of a scan. */
export function ringOf(world: World): readonly RingPlace[] {
  const { cassandra } = world;
  if (cassandra.ring.length !== cassandra.unbuilt.size + cassandra.partitions.size)
    cassandra.ring = namespacesOf(world)
      .map((namespace) => ({ namespace, token: tokenOf(namespace) }))
      .sort((a, b) => a.token - b.token);
  return cassandra.ring;
}

function tokenOf(namespace: string): number {
  return createHash('sha256').update(namespace).digest().readUIntBE(0, 6) / 2 ** 48;
}
