import type { World } from '../world.ts';
import { TABLE } from './state.ts';
import { VERSIONS } from './versions.ts';

export interface SimulatedKeyspace {
  readonly keyspace: string;
  readonly tables: readonly string[];
}

/** Where the migrations note what they did: a table for each keyspace. */
export const LEDGER = 'schema_migrations';

const tables: Readonly<Record<string, readonly string[]>> = {
  api_keys_api: ['keys', 'keys_by_owner_and_service'],
  ess_api: ['namespaces', 'entities', 'secret_paths_by_entity', 'secret_versions_by_entity_and_path', TABLE],
};

/** What the simulated cluster has, but for Cassandra's own bookkeeping. */
export function schemaOf(world: World): readonly SimulatedKeyspace[] {
  return [
    { keyspace: 'system_auth', tables: ['roles', 'role_members', 'role_permissions'] },
    ...Object.keys(VERSIONS).map((keyspace) => ({
      keyspace,
      tables: tables[keyspace] ?? ['schema_version'],
    })),
    { keyspace: LEDGER, tables: [...world.cassandra.ledger.keys()].sort() },
  ];
}
