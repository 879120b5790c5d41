import type {
  JweKidCount,
  NekPage,
  NekRow,
  NekStoreHealth,
  NekStoreTarget,
} from '../../services/nek-store.ts';
import { headerOf } from '../crypto/jwe.ts';
import { KEYSPACES } from '../mek/seed.ts';
import type { World } from '../world.ts';
import { hasQuorum, nodesOf } from './nodes.ts';
import { rowsOf } from './rows.ts';
import { TABLE } from './state.ts';
import { apiKeysOf, namespacesOf, partitionOf, ringOf, secretsOf } from './tables.ts';

/** Where a scan stands: behind this row. */
export interface Cursor {
  readonly token: number;
  readonly last: NekRow | undefined;
}

export const START: Cursor = { token: -1, last: undefined };

function isBehind(row: NekRow, last: NekRow): boolean {
  return row.kid === last.kid ? row.encryptedAt < last.encryptedAt : row.kid > last.kid;
}

/** The next rows of a scan in ring order; without a cursor it has come to its end. */
export function nextPage(
  world: World,
  cursor: Cursor,
  size: number,
): { readonly page: NekPage; readonly cursor: Cursor | undefined } {
  const rows: NekRow[] = [];
  for (const { namespace, token } of ringOf(world)) {
    if (token < cursor.token) continue;
    const partition = partitionOf(world, namespace);
    if (partition === undefined) continue;
    const { last } = cursor;
    const all = rowsOf(partition, { namespace, now: world.timeline.now });
    const left = last?.namespace === namespace ? all.filter((row) => isBehind(row, last)) : all;
    rows.push(...left.slice(0, size - rows.length));
    if (rows.length === size) return { page: { rows, done: token }, cursor: { token, last: rows.at(-1) } };
  }
  return { page: { rows, done: 1 }, cursor: undefined };
}

/** The values of a column that the seeded world fills; undefined when there is no such column. */
function ownColumn(world: World, name: string): readonly (string | null)[] | undefined {
  const everyRow = () =>
    namespacesOf(world).flatMap((namespace) => {
      const partition = partitionOf(world, namespace);
      return partition === undefined ? [] : rowsOf(partition, { namespace, now: world.timeline.now });
    });
  switch (name) {
    case 'api_keys_api.keys.key_details':
    case 'api_keys_api.keys_by_owner_and_service.key_details':
      return [...apiKeysOf(world).values()].map(({ details }) => details);
    case `ess_api.${TABLE}.encrypted_key`:
      return everyRow().map(({ encryptedKey }) => encryptedKey);
    case 'ess_api.secret_versions_by_entity_and_path.value':
      return secretsOf(world).map(({ jwe }) => jwe);
    default:
      return undefined;
  }
}

/** The values of a column of JWEs; undefined when there is no such column. */
export function columnOf(
  world: World,
  at: { readonly keyspace: string; readonly table: string; readonly column: string },
): readonly string[] | undefined {
  const name = `${at.keyspace}.${at.table}.${at.column}`;
  const own = ownColumn(world, name);
  const added = world.cassandra.added.get(name);
  if (own === undefined && added === undefined) return undefined;
  return [...(own ?? []), ...(added ?? [])].filter((value) => value !== null);
}

export function kidOf(jwe: string): string | null {
  const kid = headerOf(jwe)?.kid;
  return typeof kid === 'string' ? kid : null;
}

export function countKids(values: readonly string[]): readonly JweKidCount[] {
  const counts = new Map<string | null, number>();
  for (const value of values) counts.set(kidOf(value), (counts.get(kidOf(value)) ?? 0) + 1);
  return [...counts].map(([kid, rows]) => ({ kid, rows }));
}

export function healthOf(
  world: World,
  target: Pick<NekStoreTarget, 'namespace' | 'selector' | 'keyspace'>,
): NekStoreHealth {
  const { schema } = world.cassandra;
  const { keyspace } = target;
  const nodes = nodesOf(world, target);
  const schemaAgreed =
    new Set(nodes.filter(({ up }) => up).map(({ schemaVersion }) => schemaVersion)).size <= 1;
  if (!KEYSPACES.includes(keyspace))
    return {
      nodes,
      schemaAgreed,
      quorum: false,
      replicationFactor: 0,
      durableWrites: false,
      schemaProblems: [`There is no keyspace ${keyspace}.`],
    };
  const expiry =
    schema.timeToLive === 0
      ? []
      : [`${keyspace}.${TABLE} has a default time to live of ${schema.timeToLive} s: rows disappear.`];
  return {
    nodes,
    schemaAgreed,
    quorum: hasQuorum(world, nodes),
    replicationFactor: schema.replicationFactor,
    durableWrites: schema.durableWrites,
    schemaProblems: keyspace === 'ess_api' ? [...schema.problems, ...expiry] : [],
  };
}
