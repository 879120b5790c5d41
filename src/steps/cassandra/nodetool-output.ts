/** A line of `nodetool status`: a member of the ring as one node sees it. */
export interface RingMember {
  /** 'UN', 'DN', 'UJ', …: up or down ('?' when the node itself cannot tell), and normal, leaving, joining or moving. */
  readonly state: string;
  readonly address: string;
  readonly datacenter: string;
  /** Share of the data, '100.0%'; empty when nodetool does not tell. */
  readonly owns: string;
  readonly hostId: string;
  readonly rack: string;
}

/** What `nodetool describecluster` says, as far as it matters here. */
export interface ClusterView {
  readonly name: string;
  /** Schema version → addresses; without those that did not answer. */
  readonly schemas: ReadonlyMap<string, readonly string[]>;
  readonly unreachable: readonly string[];
  readonly keyspaces: readonly KeyspaceCopies[];
}

export interface KeyspaceCopies {
  readonly keyspace: string;
  /** Copies by datacenter; '' stands for all of them (SimpleStrategy). */
  readonly copies: ReadonlyMap<string, number>;
}

/** One table in one snapshot, of `nodetool listsnapshots`. */
export interface SnapshotTable {
  readonly tag: string;
  readonly keyspace: string;
  readonly table: string;
  /** Bytes on the disk that the snapshot holds on to, shared with the live table while that has them, too. */
  readonly bytes: number;
}

const uuid = /^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/i;

/** The ring; undefined when the text is not what nodetool prints, or a line of it is not understood. */
export function parseStatus(text: string): readonly RingMember[] | undefined {
  const members: RingMember[] = [];
  let datacenter = '';
  for (const line of text.split('\n')) {
    const named = /^Datacenter:\s*(\S+)\s*$/.exec(line);
    if (named !== null) datacenter = named[1] ?? '';
    if (!/^[UD?][NLJMS?]\s/.test(line)) continue;
    const words = line.trim().split(/\s+/);
    const [state = '', address = ''] = words;
    const at = words.findIndex((word) => uuid.test(word));
    // Without a host ID nobody can tell which node an address belongs to.
    if (at < 2 || datacenter === '') return undefined;
    const owns = words.slice(2, at).find((word) => /^\d+(?:\.\d+)?%$/.test(word)) ?? '';
    const [hostId = '', rack = ''] = words.slice(at);
    members.push({ state, address, datacenter, owns, hostId: hostId.toLowerCase(), rack });
  }
  return members.length === 0 ? undefined : members;
}

/** Undefined when the text holds no schema versions. */
export function parseCluster(text: string): ClusterView | undefined {
  const schemas = new Map<string, readonly string[]>();
  const keyspaces: KeyspaceCopies[] = [];
  let name = '';
  let unreachable: readonly string[] = [];
  for (const line of text.split('\n').map((each) => each.trim())) {
    const [, said] = /^Name:\s*(.+)$/.exec(line) ?? [];
    if (said !== undefined && name === '') name = said;
    const [, version = '', list = ''] = /^([\w-]+):\s*\[([^\]]*)\]$/.exec(line) ?? [];
    const addresses = list.split(',').flatMap((part) => (part.trim() === '' ? [] : [part.trim()]));
    if (version === 'UNREACHABLE') unreachable = addresses;
    else if (uuid.test(version)) schemas.set(version.toLowerCase(), addresses);
    const [, keyspace = '', strategy = '', options = ''] =
      /^(\w+) -> Replication class:\s*(\S+)\s*\{([^}]*)\}$/.exec(line) ?? [];
    if (keyspace !== '') keyspaces.push({ keyspace, copies: copiesOf(strategy, options) });
  }
  return schemas.size === 0 ? undefined : { name, schemas, unreachable, keyspaces };
}

/** Every table of every snapshot; undefined when the text is not what nodetool prints. */
export function parseSnapshots(text: string): readonly SnapshotTable[] | undefined {
  if (/^There are no snapshots/m.test(text)) return [];
  if (!/^Snapshot name\s+Keyspace name\s+Column family name\s/m.test(text)) return undefined;
  const found: SnapshotTable[] = [];
  for (const line of text.split('\n')) {
    const size = String.raw`(\d+(?:\.\d+)?) (bytes|[KMGT]iB)`;
    const row = new RegExp(String.raw`^(\S+)\s+(\w+)\s+(\S+)\s+${size}\s+${size}(?:\s|$)`).exec(line);
    if (row === null) continue;
    const [, tag = '', keyspace = '', table = '', , , amount = '', unit = ''] = row;
    found.push({ tag, keyspace, table, bytes: Math.round(Number(amount) * (units[unit] ?? 1)) });
  }
  return found;
}

const units: Readonly<Record<string, number>> = {
  bytes: 1,
  KiB: 1024,
  MiB: 1024 ** 2,
  GiB: 1024 ** 3,
  TiB: 1024 ** 4,
};

/** What went wrong, in nodetool's own words and without a stack trace. */
export function nodetoolProblem(exitCode: number, stdout: string, stderr: string): string {
  const lines = `${stderr}\n${stdout}`.split('\n').map((line) => line.trim());
  const said = lines.find((line) => /^(?:error|nodetool):/i.test(line)) ?? lines.find((line) => line !== '');
  const why = said?.replace(/^(?:error|nodetool):\s*/i, '').slice(0, 300);
  return `exit code ${exitCode}${why === undefined ? '' : `: ${why}`}`;
}

function copiesOf(strategy: string, options: string): ReadonlyMap<string, number> {
  if (/LocalStrategy$/.test(strategy)) return new Map();
  const pairs = options.split(',').flatMap((part) => {
    const [name = '', copies = ''] = part.split('=').map((word) => word.trim());
    return /^\d{1,9}$/.test(copies) ? [[name, Number(copies)] as const] : [];
  });
  if (!/SimpleStrategy$/.test(strategy)) return new Map(pairs);
  const all = pairs.find(([name]) => name === 'replication_factor')?.[1];
  return all === undefined ? new Map() : new Map([['', all]]);
}
