import type { NekRowKey, NewNekRow } from '../services/nek-store.ts';
import type { TextAnswer } from './consumers/answer.ts';
import { consumersOf } from './consumers/running.ts';
import type { ConsumerKind } from './consumers/state.ts';
import type { Machine } from './machine.ts';
import type { MigrationsOutcome } from './mek/migrations.ts';
import { MEK_PATH } from './mek/seed.ts';
import { BAO_NAMESPACE } from './mek/stored.ts';
import { packRows } from './nek-store/changes.ts';
import type { CassandraSchema, NekColumn, StoredMigration } from './nek-store/state.ts';
import type { Mishap } from './world.ts';

/** A secret of ESS: by default one of its own in `nvcf`. */
export interface SecretAt {
  readonly namespace?: string;
  /** 'functions/<id>/<path>'. */
  readonly path: string;
  /** The pod that is asked; the first that runs unless told. */
  readonly pod?: string;
}

/** What users of the control plane, other operators and its stores do. Each is written down like any other change. */
export interface KeyControl {
  /** A client of ESS writes a secret; gives the status of the answer. */
  writeSecret(at: SecretAt & { readonly value: string }): number;
  /** A client of ESS reads a secret: its value, or the status of the answer that had none. */
  readSecret(at: SecretAt): string | number;
  /** A user has an API key issued; undefined when the service refused. */
  issueKey(given?: { readonly owner?: string; readonly pod?: string }): string | undefined;
  validateKey(key: string, pod?: string): boolean;
  /** Every API key that a master key has encrypted comes to its end; answers how many. */
  endApiKeys(kid: string): number;
  /** A worker gets a token, and later another one for it; undefined when NVCF API refused. */
  workerToken(old?: string): string | undefined;
  /** Somebody else writes a key-value secret, without check-and-set; by default the MEK document. */
  editKv(given: {
    readonly mount?: string;
    readonly path?: string;
    readonly data: Readonly<Record<string, unknown>>;
  }): { readonly version: number } | { readonly refused: string };
  /** The migrations Job of OpenBao's chart runs; misbehaving, it takes a failed read for an absent document. */
  runMigrationsJob(given?: { readonly misbehaving?: boolean }): MigrationsOutcome;
  /** The next calls (1) to a store go wrong. */
  mishap(given: Omit<Mishap, 'times'> & { readonly times?: number }): void;
  /** Stops the server in a Cassandra pod until it is started again. */
  stopNode(pod: string): void;
  startNode(pod: string): void;
  /** The active OpenBao server gives up. */
  stepDown(namespace?: string): void;
  unseal(namespace: string, pod: string): void;
  /** The clock of OpenBao's servers goes wrong by so many milliseconds. */
  skewClock(ms: number): void;
  schema(schema: Partial<CassandraSchema>): void;
  /** What the migrations have noted for a keyspace; without rows its table is gone. */
  ledger(keyspace: string, rows?: readonly StoredMigration[]): void;
  insertRows(namespace: string, rows: readonly NewNekRow[]): void;
  /** An UPDATE: makes a ghost where there is no row. Null deletes a column. */
  updateRow(key: NekRowKey, set: { readonly [column in NekColumn]?: string | null }, stamp?: number): void;
  deleteRow(key: NekRowKey): void;
  setCurrentKid(namespace: string, kid: string | null): void;
  /** More rows of a table, of which only one column is looked at. */
  addValues(
    at: { readonly keyspace: string; readonly table: string; readonly column: string },
    values: readonly (string | null)[],
  ): void;
}

export function keyControl(machine: Machine): KeyControl {
  const { world } = machine;
  const value = (outcome: ReturnType<Machine['perform']>): unknown => {
    if (outcome.ok) return outcome.value;
    throw outcome.failure;
  };
  const ask = (
    kind: ConsumerKind,
    call: { pod?: string | undefined; method: string; path: string; ess?: string; body?: unknown },
  ): TextAnswer | undefined => {
    const { pod, body, ...rest } = call;
    const consumers = consumersOf(world, kind);
    const consumer = pod === undefined ? consumers[0] : consumers.find((known) => known.pod === pod);
    if (consumer === undefined) return undefined;
    const { namespace } = consumer;
    const sealed = body === undefined ? '' : JSON.stringify(body);
    const served = { ...rest, namespace, pod: consumer.pod };
    return value(machine.perform({ do: 'serve', call: served, sealed })) as TextAnswer;
  };
  const field = (answer: TextAnswer | undefined, name: string): string | undefined => {
    if (answer?.status !== 200) return undefined;
    return (JSON.parse(answer.body) as Record<string, string>)[name];
  };
  const ess = ({ namespace = 'nvcf', path, pod }: SecretAt) => ({ pod, ess: namespace, path: `/v1/${path}` });
  return {
    writeSecret: ({ value: text, ...at }) =>
      ask('ess', { method: 'PUT', ...ess(at), body: { data: { value: text } } })?.status ?? 0,
    readSecret: (at) => {
      const answer = ask('ess', { method: 'GET', ...ess(at) });
      if (answer?.status !== 200) return answer?.status ?? 0;
      return (JSON.parse(answer.body) as { data: { value: string } }).data.value;
    },
    issueKey: ({ owner = 'account-1', pod } = {}) =>
      field(ask('api-keys', { pod, method: 'POST', path: '/v1/keys', body: { owner } }), 'key'),
    validateKey: (key, pod) =>
      ask('api-keys', { pod, method: 'POST', path: '/v1/keys/validate', body: { key } })?.status === 200,
    endApiKeys: (kid) => value(machine.perform({ do: 'end-api-keys', kid })) as number,
    workerToken: (old) => {
      const path = old === undefined ? '/v1/worker-tokens' : '/v1/worker-tokens/refresh';
      return field(ask('nvcf-api', { method: 'POST', path, body: { token: old } }), 'token');
    },
    editKv: ({ mount = MEK_PATH.mount, path = MEK_PATH.path, data }) => {
      const sealed = JSON.stringify(data);
      const outcome = machine.perform({ do: 'edit-secret', mount, path, sealed });
      return value(outcome) as { version: number } | { refused: string };
    },
    runMigrationsJob: ({ misbehaving = false } = {}) =>
      value(machine.perform({ do: 'migrations', misbehaving })) as MigrationsOutcome,
    mishap: ({ times = 1, ...rest }) => void machine.perform({ do: 'mishap', mishap: { ...rest, times } }),
    stopNode: (pod) => void machine.perform({ do: 'stop-node', pod }),
    startNode: (pod) => void machine.perform({ do: 'start-node', pod }),
    stepDown: (namespace = BAO_NAMESPACE) => {
      const pod = world.openbao.get(namespace)?.leader;
      if (pod === undefined) return;
      const request = { namespace, pod, method: 'PUT', path: 'sys/step-down', query: {} };
      machine.perform({ do: 'bao', request, sealed: '' });
    },
    unseal: (namespace, pod) => void machine.perform({ do: 'unseal', namespace, pod }),
    skewClock: (ms) => void machine.perform({ do: 'skew', ms }),
    schema: (schema) => void machine.perform({ do: 'schema', schema }),
    ledger: (keyspace, rows) =>
      void machine.perform({ do: 'ledger', keyspace, ...(rows === undefined ? {} : { rows }) }),
    insertRows: (namespace, rows) =>
      void machine.perform({ do: 'rows', change: packRows(world, namespace, rows) }),
    updateRow: (key, set, stamp) => {
      const { namespace, kid, encryptedAt } = key;
      const change = { what: 'update', key: { namespace, kid, encryptedAt }, set } as const;
      machine.perform({ do: 'rows', change: stamp === undefined ? change : { ...change, stamp } });
    },
    deleteRow: ({ namespace, kid, encryptedAt }) =>
      void machine.perform({ do: 'rows', change: { what: 'delete', key: { namespace, kid, encryptedAt } } }),
    setCurrentKid: (namespace, kid) =>
      void machine.perform({ do: 'rows', change: { what: 'current-kid', namespace, kid } }),
    addValues: ({ keyspace, table, column }, values) =>
      void machine.perform({ do: 'column', name: `${keyspace}.${table}.${column}`, values }),
  };
}
