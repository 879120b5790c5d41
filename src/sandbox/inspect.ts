import type { NekRow } from '../services/nek-store.ts';
import { keyProblem } from './consumers/api-keys.ts';
import { keysOf } from './consumers/document.ts';
import { selectRow, unwrapRow } from './consumers/nek.ts';
import { tokenProblem } from './consumers/nvcf-api.ts';
import { consumersOf } from './consumers/running.ts';
import type { Consumer, ConsumerKind, KeySet } from './consumers/state.ts';
import { headerOf, openDirect } from './crypto/jwe.ts';
import { type WorldFields, worldFields } from './fields.ts';
import { MEK_PATH } from './mek/seed.ts';
import { BAO_NAMESPACE, readSecret, readStored } from './mek/stored.ts';
import { rowsOf, rowTold } from './nek-store/rows.ts';
import type { StoredMigration } from './nek-store/state.ts';
import { apiKeysOf, namespacesOf, partitionOf, secretsOf } from './nek-store/tables.ts';
import { kvPeek } from './openbao/kv.ts';
import type { World } from './world.ts';

/** What was promised to clients, and whether it holds. */
export interface Promised {
  readonly ok: boolean;
  readonly checked: number;
  /** One sentence each. */
  readonly problems: readonly string[];
}

export interface LoadedKeys {
  readonly kind: ConsumerKind;
  readonly pod: string;
  /** Undefined: none is loaded. */
  readonly current: string | undefined;
  readonly kids: readonly string[];
}

/** Looks into the simulated cluster past every access check; nothing changes by it. */
export interface SandboxInspect {
  /** All that there is, to be compared with another time. */
  fields(): WorldFields;
  /** Namespaces that have keys. */
  namespaces(): readonly string[];
  /** Rows in clustering order, of one namespace or of all. */
  nekRows(namespace?: string): readonly NekRow[];
  /** A key-value secret, by default the MEK document; undefined while nobody can read it. */
  secret(at?: {
    readonly mount: string;
    readonly path: string;
  }): { readonly version: number; readonly data: Readonly<Record<string, unknown>> } | undefined;
  /** What the migrations have noted, by keyspace. */
  ledger(): ReadonlyMap<string, readonly StoredMigration[]>;
  /** Tags of the snapshots on the disks of Cassandra's nodes, by pod. */
  snapshots(): ReadonlyMap<string, readonly string[]>;
  /** Every version of the MEK document that is still kept, oldest first. */
  documentVersions(): readonly {
    readonly version: number;
    readonly data: Readonly<Record<string, unknown>>;
  }[];
  /** Is every row that was ever inserted still there, and but for its status the same? */
  everyRowKept(): Promised;
  /** What a script let happen, in order. */
  struck(): readonly string[];
  /** What clients of a script's load were refused by services that were ready. */
  refused(): readonly string[];
  /** What each running service has loaded. */
  loaded(): readonly LoadedKeys[];
  /** Can every secret that was ever acknowledged be read: from each ESS pod as it is, or as if ESS started now? */
  everySecretReadable(options?: { readonly afterRestart?: boolean }): Promised;
  /** Is every API key that was ever issued valid: for each API Keys pod as it is, or as if it started now? */
  everyApiKeyValid(options?: { readonly afterRestart?: boolean }): Promised;
  /** Would every worker token that has not ended be renewed: by each NVCF API pod as it is, or as if it started now? */
  everyWorkerTokenRenewed(options?: { readonly afterRestart?: boolean }): Promised;
}

interface Reader {
  readonly name: string;
  readonly keys: KeySet | undefined;
  readonly consumer?: Consumer;
}

const CACHED = 3_600_000;

function rowsIn(world: World, namespace: string, kid?: string): readonly NekRow[] {
  const partition = partitionOf(world, namespace);
  const at = { namespace, now: world.timeline.now, ...(kid === undefined ? {} : { kid }) };
  return partition === undefined ? [] : rowsOf(partition, at);
}

function readersOf(world: World, kind: ConsumerKind, afterRestart: boolean): readonly Reader[] {
  if (!afterRestart)
    return consumersOf(world, kind).map((consumer) => ({
      name: consumer.pod,
      keys: consumer.keys,
      consumer,
    }));
  const stored = readStored(world);
  const keys = stored.state === 'found' ? keysOf(kind, stored.data) : undefined;
  return [{ name: `a restarted ${kind}`, keys: keys?.ok === true ? keys.value : undefined }];
}

/** The key's text as ESS would find it: from a row that it still holds in memory, or from the table. */
function keyText(world: World, reader: Reader & { keys: KeySet }, at: { namespace: string; kid: string }) {
  const { namespace, kid } = at;
  const held = reader.consumer?.decryption.get(`${namespace} ${kid}`);
  if (held !== undefined && world.timeline.now - held.at < CACHED) {
    const verdict = unwrapRow(held.row, reader.keys);
    return verdict.state === 'usable' ? verdict.text : undefined;
  }
  const selected = selectRow(rowsIn(world, namespace, kid), reader.keys);
  return selected.ok ? selected.text : undefined;
}

function secretProblems(world: World, reader: Reader): readonly string[] {
  const { keys } = reader;
  if (keys === undefined) return [`${reader.name} has no master keys.`];
  const texts = new Map<string, string | undefined>();
  const problems: string[] = [];
  const told = [...world.cassandra.told.secrets].sort(([a], [b]) => (a < b ? -1 : 1));
  for (const [key, value] of told) {
    const secret = world.cassandra.secrets.get(key);
    const kid = String(headerOf(secret?.jwe ?? '')?.kid);
    const id = `${secret?.namespace} ${kid}`;
    if (secret !== undefined && !texts.has(id))
      texts.set(id, keyText(world, { ...reader, keys }, { namespace: secret.namespace, kid }));
    const text = texts.get(id);
    const found =
      text === undefined ? undefined : openDirect(secret?.jwe ?? '', Buffer.from(text, 'base64url'));
    if (found !== value) problems.push(`${reader.name} cannot read ${key} (key ${kid}).`);
  }
  return problems;
}

function promised(checked: number, readers: readonly Reader[], problems: readonly string[]): Promised {
  const all = readers.length === 0 ? ['No pod of the service runs.'] : problems;
  return { ok: all.length === 0, checked, problems: all };
}

/** `files`: paths of the local files that steps have made. */
export function sandboxInspect(world: World, files: () => readonly string[]): SandboxInspect {
  /** One check of everything that was given out, for every reader. */
  const everyText = (
    kind: 'api-keys' | 'nvcf-api',
    given: { afterRestart: boolean; texts: readonly string[]; what: string },
    problemOf: (text: string, keys: KeySet) => string | undefined,
  ): Promised => {
    const readers = readersOf(world, kind, given.afterRestart);
    const problems = readers.flatMap(({ name, keys }) =>
      keys === undefined
        ? [`${name} has no master keys.`]
        : given.texts.flatMap((text, at) => {
            const why = problemOf(text, keys);
            return why === undefined ? [] : [`${name} refuses ${given.what} ${at + 1}: ${why}`];
          }),
    );
    return promised(given.texts.length, readers, problems);
  };
  return {
    fields: () => ({
      ...worldFields(world),
      'Local files': Object.fromEntries(files().map((name) => [name, 'made'])),
    }),
    namespaces: () => namespacesOf(world),
    nekRows: (namespace) =>
      namespace === undefined
        ? namespacesOf(world).flatMap((name) => rowsIn(world, name))
        : rowsIn(world, namespace),
    secret: (at = MEK_PATH) => {
      const stored = readSecret(world, at);
      return stored.state === 'found' ? { version: stored.version, data: stored.data } : undefined;
    },
    ledger: () => new Map(world.cassandra.ledger),
    snapshots: () =>
      new Map([...world.cassandra.snapshots].map(([pod, taken]) => [pod, taken.map(({ tag }) => tag)])),
    documentVersions: () => {
      const { mount, path } = MEK_PATH;
      const entry = world.openbao.get(BAO_NAMESPACE)?.mounts.get(mount)?.entries.get(path);
      return [...(entry?.versions.keys() ?? [])]
        .sort((a, b) => a - b)
        .flatMap((version) => kvPeek(world, BAO_NAMESPACE, mount, path, version) ?? []);
    },
    everyRowKept: () => {
      const all = namespacesOf(world).flatMap((name) => rowsIn(world, name));
      const found = new Map(all.map(rowTold));
      const told = [...world.cassandra.told.rows];
      const problems = told.flatMap(([key, row]) => {
        if (found.get(key) === row) return [];
        return [`Row ${key} ${found.has(key) ? 'was changed' : 'is gone'}.`];
      });
      return { ok: problems.length === 0, checked: told.length, problems };
    },
    struck: () => [...world.struck],
    refused: () => [...(world.load?.refused ?? [])],
    loaded: () =>
      (['ess', 'api-keys', 'nvcf-api'] as const).flatMap((kind) =>
        consumersOf(world, kind).map(({ pod, keys }) => ({
          kind,
          pod,
          current: keys?.current,
          kids: keys?.kids ?? [],
        })),
      ),
    everySecretReadable: ({ afterRestart = false } = {}) => {
      secretsOf(world);
      const readers = readersOf(world, 'ess', afterRestart);
      const problems = readers.flatMap((reader) => secretProblems(world, reader));
      return promised(world.cassandra.told.secrets.size, readers, problems);
    },
    everyApiKeyValid: ({ afterRestart = false } = {}) => {
      apiKeysOf(world);
      const texts = [...world.cassandra.told.apiKeys];
      return everyText('api-keys', { afterRestart, texts, what: 'API key' }, (key, keys) =>
        keyProblem(world, key, keys),
      );
    },
    everyWorkerTokenRenewed: ({ afterRestart = false } = {}) => {
      const { now } = world.timeline;
      const alive = [...world.cassandra.told.workerTokens].filter(([, expires]) => expires > now);
      const texts = alive.map(([token]) => token);
      return everyText('nvcf-api', { afterRestart, texts, what: 'worker token' }, (token, keys) =>
        tokenProblem(token, { keys, now }),
      );
    },
  };
}
