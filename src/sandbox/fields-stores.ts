import type { JsonObject } from '../engine/json.ts';
import { consumersOf } from './consumers/running.ts';
import type { ConsumerKind } from './consumers/state.ts';
import { digest, digested } from './digest.ts';
import { rowsOf } from './nek-store/rows.ts';
import { apiKeysOf, namespacesOf, partitionOf, secretsOf } from './nek-store/tables.ts';
import type { BaoCluster, BaoMount, KvEntry } from './openbao/state.ts';
import type { World } from './world.ts';

type Fields = Readonly<Record<string, JsonObject>>;

/** Of a set of keys: each kid with a digest of its key, in order; anything else is one digest. */
function secretField(value: unknown): string | readonly string[] {
  const keys = keysIn(value);
  return keys === undefined
    ? digest(JSON.stringify(value) ?? '')
    : keys.map((key) => `${String(key.kid)} ${digest(JSON.stringify(key))}`);
}

function keysIn(value: unknown): readonly { readonly kid: unknown }[] | undefined {
  if (typeof value !== 'string') return undefined;
  try {
    const { keys } = JSON.parse(Buffer.from(value, 'base64').toString('utf8')) as { keys?: unknown };
    return Array.isArray(keys) ? keys : undefined;
  } catch {
    return undefined;
  }
}

/** What a reader gets now, and how it is guarded. How often it was written before is history. */
function entryFields({ versions, current, casRequired, maxVersions }: KvEntry): JsonObject {
  const version = versions.get(current);
  const gone = version === undefined || version.destroyed || version.deletedAt !== undefined;
  const data = gone ? {} : (JSON.parse(version.json) as Readonly<Record<string, unknown>>);
  return {
    casRequired,
    maxVersions,
    state: gone ? 'deleted' : 'readable',
    data: Object.fromEntries(Object.entries(data).map(([name, value]) => [name, secretField(value)])),
  };
}

function mountFields(namespace: string, mount: BaoMount): Fields {
  const { path, type, version, casRequired, maxVersions } = mount;
  const flat = Object.fromEntries([...mount.flat].map(([name, json]) => [name, digest(json)]));
  return {
    [`OpenBao ${namespace} mount ${path}`]: { type, version, casRequired, maxVersions, flat },
    ...Object.fromEntries(
      [...mount.entries].map(([name, entry]) => [`OpenBao ${namespace} ${path}/${name}`, entryFields(entry)]),
    ),
  };
}

/** Who leads is left to an election at any time; that somebody does is not. */
function baoFields({ namespace, nodes, peers, leader, mounts, policies }: BaoCluster): Fields {
  return {
    [`OpenBao ${namespace}`]: {
      sealed: Object.fromEntries([...nodes.values()].map(({ pod, sealed }) => [pod, sealed])),
      peers: [...peers].sort(),
      hasLeader: leader !== undefined,
      policies: digested(Object.fromEntries(policies)),
    },
    ...Object.assign({}, ...[...mounts.values()].map((mount) => mountFields(namespace, mount))),
  };
}

function rowFields(world: World): Fields {
  const found: Record<string, JsonObject> = {};
  for (const namespace of namespacesOf(world)) {
    const partition = partitionOf(world, namespace);
    const rows = partition === undefined ? [] : rowsOf(partition, { namespace, now: world.timeline.now });
    const [first] = rows;
    found[`Namespace keys of ${namespace}`] = {
      currentKid: first?.currentKid ?? null,
      rows: Object.fromEntries(
        rows.map(({ kid, encryptedAt, createdAt, encryptedByKid, encryptedKey, status }) => [
          `${kid} ${encryptedAt}`,
          { createdAt, encryptedByKid, status, encryptedKey: digest(encryptedKey ?? '') },
        ]),
      ),
    };
  }
  return found;
}

function cassandraFields(world: World): Fields {
  const { schema, stopped, added, ledger, snapshots } = world.cassandra;
  return {
    ...rowFields(world),
    Cassandra: {
      schema: { ...schema },
      stopped: [...stopped].sort(),
      added: digested(Object.fromEntries(added)),
    },
    'Ledger of the migrations': Object.fromEntries(
      [...ledger].map(([keyspace, rows]) => [keyspace, rows.map((row) => ({ ...row }))]),
    ),
    'Snapshots of Cassandra': Object.fromEntries(
      [...snapshots].map(([pod, taken]) => [pod, taken.map(({ tag }) => tag)]),
    ),
    'Secrets in ESS': Object.fromEntries(
      secretsOf(world).map(({ namespace, path, jwe }) => [`${namespace}/${path}`, digest(jwe)]),
    ),
    'API keys': Object.fromEntries(
      [...apiKeysOf(world).values()].map((key) => [
        key.hash,
        { owner: key.owner, keyId: key.keyId, details: digest(key.details) },
      ]),
    ),
  };
}

const CONSUMERS: readonly ConsumerKind[] = ['ess', 'api-keys', 'nvcf-api'];

/** The keys that services have loaded. */
function loadedFields(world: World): Fields {
  return Object.fromEntries(
    CONSUMERS.map((kind) => [
      `Master keys in the pods of ${kind}`,
      Object.fromEntries(
        consumersOf(world, kind).map(({ keys }, at) => [
          `#${at + 1}`,
          { current: keys?.current ?? null, kids: keys?.kids ?? [] },
        ]),
      ),
    ]),
  );
}

/** What OpenBao and Cassandra hold, and what the services have loaded of it. */
export function storeFields(world: World): Fields {
  return {
    ...Object.assign({}, ...[...world.openbao.values()].map(baoFields)),
    ...cassandraFields(world),
    ...loadedFields(world),
  };
}
