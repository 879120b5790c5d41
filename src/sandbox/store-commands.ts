import { endApiKeys } from './consumers/api-keys.ts';
import { type ServeCall, serve } from './consumers/serve.ts';
import { runMigrations } from './mek/migrations.ts';
import { writeSecret } from './mek/stored.ts';
import { changeRows, type RowChange } from './nek-store/changes.ts';
import { setLedger } from './nek-store/migrations-job.ts';
import type { CassandraSchema, StoredMigration } from './nek-store/state.ts';
import { startNode, stopNode } from './nek-store/stop.ts';
import { type Strike, strikeWorld } from './strikes.ts';
import type { Mishap, World } from './world.ts';

/** Commands about what the stores hold, the services that use it, and how both fail. */
export type StoreCommand =
  | { readonly do: 'rows'; readonly change: RowChange }
  /** `sealed`: the body. */
  | { readonly do: 'serve'; readonly call: Omit<ServeCall, 'body'>; readonly sealed: string }
  | { readonly do: 'column'; readonly name: string; readonly values: readonly (string | null)[] }
  | { readonly do: 'schema'; readonly schema: Partial<CassandraSchema> }
  | { readonly do: 'stop-node' | 'start-node'; readonly pod: string }
  | { readonly do: 'mishap'; readonly mishap: Mishap }
  | { readonly do: 'mishap-met'; readonly index: number }
  /** `sealed`: the fields as JSON. */
  | { readonly do: 'edit-secret'; readonly mount: string; readonly path: string; readonly sealed: string }
  | { readonly do: 'migrations'; readonly misbehaving: boolean }
  | { readonly do: 'end-api-keys'; readonly kid: string }
  /** Rows of a table of `schema_migrations`; without any, the table is dropped. */
  | { readonly do: 'ledger'; readonly keyspace: string; readonly rows?: readonly StoredMigration[] }
  | { readonly do: 'skew'; readonly ms: number }
  | { readonly do: 'strike'; readonly strike: Strike };

function addValues(world: World, name: string, values: readonly (string | null)[]): void {
  world.cassandra.added.set(name, [...(world.cassandra.added.get(name) ?? []), ...values]);
}

export function performStore(world: World, command: StoreCommand): unknown {
  switch (command.do) {
    case 'rows':
      return changeRows(world, command.change);
    case 'serve':
      return serve(world, { ...command.call, body: command.sealed });
    case 'column':
      return addValues(world, command.name, command.values);
    case 'schema':
      world.cassandra.schema = { ...world.cassandra.schema, ...command.schema };
      return undefined;
    case 'ledger':
      return setLedger(world, command.keyspace, command.rows);
    case 'stop-node':
      return stopNode(world, command.pod);
    case 'start-node':
      return startNode(world, command.pod);
    case 'mishap':
      return world.mishaps.push({ ...command.mishap });
    case 'mishap-met': {
      const mishap = world.mishaps[command.index];
      if (mishap === undefined) return undefined;
      mishap.times -= 1;
      world.struck.push(`lose ${mishap.at} ${mishap.how}`);
      return undefined;
    }
    case 'edit-secret': {
      const data = JSON.parse(command.sealed) as Readonly<Record<string, unknown>>;
      return writeSecret(world, command, data);
    }
    case 'migrations':
      return runMigrations(world, command.misbehaving);
    case 'end-api-keys':
      return endApiKeys(world, command.kid);
    case 'strike':
      return strikeWorld(world, command.strike);
    case 'skew':
      world.baoSkew = command.ms;
      return undefined;
  }
}
