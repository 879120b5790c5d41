/** The table of ESS's second key store (migrations/cassandra/keyspaces/ess_api): what rows are read from and written to. */
export const nekTable = 'encryption_keys_by_kid_and_encrypted_at';

/** A row of `system_schema.columns`. */
export interface StoredColumn {
  readonly name: string;
  readonly type: string;
  /** 'partition_key', 'clustering', 'static' or 'regular'. */
  readonly kind: string;
  /** Within the key; -1 for other columns. */
  readonly position: number;
  /** 'asc', 'desc' or 'none'. */
  readonly order: string;
}

/** A row of `system_schema.tables` with its columns; undefined when there is no such table. */
export interface StoredTable {
  readonly defaultTimeToLive: number;
  readonly columns: readonly StoredColumn[];
}

const expected: readonly StoredColumn[] = [
  { name: 'namespace', type: 'text', kind: 'partition_key', position: 0, order: 'none' },
  { name: 'kid', type: 'text', kind: 'clustering', position: 0, order: 'asc' },
  { name: 'encrypted_at', type: 'timestamp', kind: 'clustering', position: 1, order: 'desc' },
  { name: 'created_at', type: 'timeuuid', kind: 'regular', position: -1, order: 'none' },
  { name: 'current_kid', type: 'text', kind: 'static', position: -1, order: 'none' },
  { name: 'encrypted_by_kid', type: 'text', kind: 'regular', position: -1, order: 'none' },
  { name: 'encrypted_key', type: 'text', kind: 'regular', position: -1, order: 'none' },
  { name: 'status', type: 'text', kind: 'regular', position: -1, order: 'none' },
];

/** How a table differs from the one that ESS creates, one sentence each. `place`: 'ess_api.encryption_keys_…'. */
export function schemaProblems(place: string, table: StoredTable | undefined): readonly string[] {
  if (table === undefined) return [`the table ${place} does not exist`];
  const stored = new Map(table.columns.map((column) => [column.name, column]));
  const known = new Set(expected.map(({ name }) => name));
  const problems = expected.flatMap((column) => {
    const found = stored.get(column.name);
    if (found === undefined) return [`the column ${column.name} of ${place} is missing`];
    const [is, should] = [describe(found), describe(column)];
    return is === should
      ? []
      : [`the column ${column.name} of ${place} is a ${is}; ESS creates it as a ${should}`];
  });
  const unknown = table.columns
    .filter(({ name }) => !known.has(name))
    .map(
      ({ name, type }) =>
        `${place} has a column ${name} (${type}) that ESS does not create and that rows written here would lack`,
    );
  const timeToLive =
    table.defaultTimeToLive === 0
      ? []
      : [
          `${place} has default_time_to_live ${table.defaultTimeToLive}: rows would vanish after that many seconds`,
        ];
  return [...problems, ...unknown, ...timeToLive];
}

function describe({ type, kind, position, order }: StoredColumn): string {
  if (kind === 'partition_key') return `${type} in the partition key at position ${position}`;
  if (kind === 'clustering') return `${type} in the clustering key at position ${position}, ${order}ending`;
  return `${kind} ${type}`;
}
