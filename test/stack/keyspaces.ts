/** A keyspace, the role of its service, and the tables as the migrations leave them. */
export interface Keyspace {
  name: string;
  role: string;
  /** User-defined type → its fields. */
  types: Record<string, string>;
  /** Table → what follows its name in the statement that creates it. */
  tables: Record<string, string>;
}

/** ESS's secrets and namespace keys. */
export const essKeyspace: Keyspace = {
  name: 'ess_api',
  role: 'ess_api_app_v0',
  types: {
    authorization: '(id text, name text, jwks_url text, issuer text, type text)',
    entity_type: '(name text, deleted_at timestamp)',
  },
  tables: {
    namespaces: `(namespace text PRIMARY KEY,
      oauth_authorizations map<text, frozen<authorization>>, notary_authorizations map<text, frozen<authorization>>,
      entity_types map<text, frozen<entity_type>>, created_at timestamp, updated_at timestamp, deleted_at timestamp,
      entity_hash_size int, previous_entity_hash_size int, require_lwt_for_secret_version_writes boolean,
      authorizations_version timeuuid)`,
    entities: `(namespace text, entity_type text, hash_bucket int, entity_id text, created_at timestamp,
      PRIMARY KEY ((namespace, entity_type, hash_bucket), entity_id))`,
    secret_paths_by_entity: `(namespace text, entity text, path text, updated_at timeuuid,
      entity_version timeuuid static, is_dir boolean,
      PRIMARY KEY ((namespace, entity), path))`,
    secret_versions_by_entity_and_path: `(namespace text, entity text, secret_path text, version timeuuid,
      current_version timeuuid static, value text, created_at timestamp, encrypted_at timestamp, encrypted_by_kid text,
      PRIMARY KEY ((namespace, entity, secret_path), version)) WITH CLUSTERING ORDER BY (version DESC)`,
    encryption_keys_by_kid: `(namespace text, kid text, created_at timeuuid, encrypted_at timestamp,
      encrypted_by_kid text, encrypted_key text,
      PRIMARY KEY ((namespace), kid))`,
    encryption_keys_by_timestamp: `(namespace text, created_at timeuuid, kid text, encrypted_at timestamp,
      encrypted_by_kid text, encrypted_key text,
      PRIMARY KEY ((namespace), created_at)) WITH CLUSTERING ORDER BY (created_at DESC)`,
    encryption_keys_by_kid_and_encrypted_at: `(namespace text, kid text, encrypted_at timestamp, created_at timeuuid,
      current_kid text static, encrypted_by_kid text, encrypted_key text, status text,
      PRIMARY KEY ((namespace), kid, encrypted_at)) WITH CLUSTERING ORDER BY (kid ASC, encrypted_at DESC)`,
  },
};

/** API Keys' issued keys. */
export const apiKeysKeyspace: Keyspace = {
  name: 'api_keys_api',
  role: 'api_keys_api_app_v0',
  types: {},
  tables: {
    keys: `(api_key_hash text PRIMARY KEY, key_id text, owner_type text, owner_id text, issuer_service_id text,
      key_details text, created_at timestamp, expires_at timestamp, deletes_at timestamp)`,
    keys_by_owner_and_service: `(owner_type text, owner_id text, issuer_service_id text, key_id text,
      api_key_hash text, key_details text, created_at timestamp, expires_at timestamp, deletes_at timestamp,
      PRIMARY KEY ((owner_type, owner_id), issuer_service_id, key_id))`,
  },
};

export const keyspaces = [essKeyspace, apiKeysKeyspace];

/** The migrations' bookkeeping: one table per keyspace. */
export const ledgerKeyspace = 'schema_migrations';

/** What the chart calls `cassandra.dbUser`; the password is the chart's default. */
export const superuser = { username: 'cassandra', password: 'cassandra' };
