import { randomUUID } from 'node:crypto';
import { expect } from 'vitest';
import {
  type NekReadSession,
  type NekRow,
  type NekRowKey,
  NekStoreError,
  type NekStoreTarget,
  type NekStoreWriter,
  type NewNekRow,
} from '../../src/services/nek-store.ts';

/** What an implementation lends to the contract. Other rows may lie in the same tables; the suite looks at its own. */
export interface NekStoreWorld {
  readonly store: NekStoreWriter;
  /** Names a keyspace with the table as ESS creates it, where the suite may leave rows in namespaces of its own. */
  readonly target: NekStoreTarget;
  /** Names of the pods, all of which are up. */
  readonly pods: readonly string[];
  readonly replicationFactor: number;
  /** Sets the static column of a partition, as ESS does; creates the partition when it has no row. */
  readonly setCurrentKid: (namespace: string, kid: string) => Promise<void>;
  /** What an UPDATE of `status` does to a key without a row: a row whose other columns are null. */
  readonly addGhost: (key: NekRowKey, status: string) => Promise<void>;
  /** A text column of a table without other use, `target` being a session's on its keyspace. */
  readonly jwes: {
    readonly target: NekStoreTarget;
    readonly table: string;
    readonly column: string;
    /** Adds one row for each value; null is a row whose column has no value. */
    readonly add: (values: readonly (string | null)[]) => Promise<void>;
  };
}

/** Called once per suite. */
export type NekStoreSetup = () => Promise<NekStoreWorld>;

export const never = () => new AbortController().signal;

/** A namespace that nobody else uses. */
export const newNamespace = () => `contract-${randomUUID()}`;

/** An instant in 2026, whole milliseconds. */
export const instant = Date.UTC(2026, 2, 4, 5, 6, 7, 89);

export function newRow(row: Partial<NewNekRow> & { readonly namespace: string }): NewNekRow {
  return {
    kid: 'kid-a',
    encryptedAt: instant,
    createdAt: '8b1a9d20-17f1-11f1-8c4a-0123456789ab',
    encryptedByKid: '7c0e2a10-17f1-11f1-9a1b-abcdef012345',
    encryptedKey: jweOf('7c0e2a10-17f1-11f1-9a1b-abcdef012345'),
    status: 'VALIDATED',
    ...row,
  };
}

/** What a new row looks like when it is read; the static column is the partition's. */
export function asRead(row: NewNekRow, currentKid: string | null = null): NekRow {
  return { ...row, currentKid };
}

/** Text in the form of a compact JWE with this `kid`; nothing can decrypt it. */
export function jweOf(kid: string, body = randomUUID()): string {
  const header = Buffer.from(JSON.stringify({ alg: 'dir', enc: 'A256GCM', kid })).toString('base64url');
  return `${header}..AAAAAAAAAAAAAAAA.${Buffer.from(body).toString('base64url')}.AAAAAAAAAAAAAAAAAAAAAA`;
}

export async function failureOf(call: Promise<unknown>): Promise<NekStoreError> {
  const failure = await call.then(
    () => undefined,
    (cause: unknown) => cause,
  );
  expect(failure).toBeInstanceOf(NekStoreError);
  if (failure instanceof NekStoreError) return failure;
  throw new Error('unreachable');
}

/** Every row of a scan that lies in one of these namespaces, in the order in which they came. */
export async function scanned(
  session: NekReadSession,
  namespaces: ReadonlySet<string>,
  pageSize: number,
): Promise<{ readonly rows: readonly NekRow[]; readonly sizes: readonly number[]; readonly done: number[] }> {
  const rows: NekRow[] = [];
  const sizes: number[] = [];
  const done: number[] = [];
  for await (const page of session.scan({ pageSize }, never())) {
    rows.push(...page.rows.filter(({ namespace }) => namespaces.has(namespace)));
    sizes.push(page.rows.length);
    done.push(page.done);
  }
  return { rows, sizes, done };
}
