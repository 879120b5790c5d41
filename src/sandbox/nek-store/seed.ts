import { createHash } from 'node:crypto';
import { derived, derivedHex, derivedInteger } from '../crypto/derive.ts';
import { sealDirect, sealWrapped, thumbprint } from '../crypto/jwe.ts';
import { timeUuid } from '../crypto/time-uuid.ts';
import { installedAt, seededKey, seededKid } from '../mek/seed.ts';
import { rowTold } from './rows.ts';
import type { CassandraState, NekColumn, Partition, StoredApiKey, StoredRow } from './state.ts';

/** What rows are made from. */
export interface Origin {
  readonly seed: number;
  readonly epoch: number;
}

const DAY = 86_400_000;
const HOUR = 3_600_000;
/** Secrets that lie under the newest key of each seeded namespace. */
const SECRETS = 2;
const API_KEYS = 48;

/** A key's base64url text. */
export function nekText(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64url');
}

/** A namespace key wrapped as ESS wraps it, its header naming the row that it is for. */
export function wrapNek(
  mek: { readonly kid: string; readonly bytes: Uint8Array },
  given: {
    readonly text: string;
    readonly iv: Uint8Array;
    readonly namespace: string;
    readonly createdAt: string;
    readonly encryptedAt: number;
  },
): string {
  const { text, iv, ...bound } = given;
  return sealDirect(mek.bytes, { header: { kid: mek.kid, version: 1, ...bound }, iv, plain: text });
}

function seededRow(origin: Origin, given: { namespace: string; at: number; born: number }) {
  const { seed, epoch } = origin;
  const { namespace, at, born } = given;
  const text = nekText(derived(seed, 32, 'nek', namespace, at));
  const mek = { kid: seededKid(seed, epoch), bytes: seededKey(seed, 'keys') };
  const createdAt = timeUuid(seed, born, namespace, at);
  const encryptedKey = wrapNek(mek, {
    text,
    iv: derived(seed, 12, 'nek-iv', namespace, at),
    namespace,
    createdAt,
    encryptedAt: born,
  });
  const cell = (value: string) => ({ value, at: born * 1000 });
  const row: StoredRow = {
    kid: thumbprint(text),
    encryptedAt: born,
    marker: cell(''),
    cells: {
      createdAt: cell(createdAt),
      encryptedByKid: cell(mek.kid),
      encryptedKey: cell(encryptedKey),
      status: cell(at === 0 ? 'CREATION_VALIDATED' : 'VALIDATED'),
    },
  };
  return { row, text };
}

/** Key of a secret in the world's maps. */
export function secretKey(namespace: string, path: string): string {
  return `${namespace} ${path}`;
}

function seededSecrets(
  state: CassandraState,
  origin: Origin,
  given: { namespace: string; text: string },
): void {
  const { seed, epoch } = origin;
  const { namespace, text } = given;
  for (let at = 0; at < SECRETS; at += 1) {
    const entity = timeUuid(seed, epoch - DAY - at, 'entity', namespace);
    const path = `functions/${entity}/env-${at}`;
    const value = JSON.stringify({ value: derivedHex(seed, 32, 'secret', namespace, at) });
    const jwe = sealDirect(Buffer.from(text, 'base64url'), {
      header: { kid: thumbprint(text) },
      iv: derived(seed, 12, 'secret-iv', namespace, at),
      plain: value,
    });
    const version = timeUuid(seed, epoch - DAY, 'version', namespace, at);
    state.secrets.set(secretKey(namespace, path), { namespace, path, version, jwe });
    state.told.secrets.set(secretKey(namespace, path), value);
  }
}

/** The keys of a namespace since the installation, one after the other, and two secrets under the newest. */
export function seedPartition(
  state: CassandraState,
  origin: Origin,
  given: { readonly namespace: string; readonly index: number },
): Partition {
  const { namespace, index } = given;
  const { each } = state.seeded;
  const first = installedAt(origin.epoch) + HOUR + index * 600_000;
  const pace = Math.floor((origin.epoch - DAY - first) / each);
  let newest: { readonly row: StoredRow; readonly text: string } | undefined;
  const rows = Array.from({ length: each }, (_, at) => {
    const born =
      first + at * pace + derivedInteger(origin.seed, Math.max(1, pace >> 1), 'born', namespace, at);
    newest = seededRow(origin, { namespace, at, born });
    return newest.row;
  });
  if (newest !== undefined) seededSecrets(state, origin, { namespace, text: newest.text });
  for (const { kid, encryptedAt, cells } of rows) {
    const value = (name: NekColumn) => cells[name]?.value ?? null;
    const [key, told] = rowTold({
      namespace,
      kid,
      encryptedAt,
      createdAt: value('createdAt'),
      encryptedByKid: value('encryptedByKid'),
      encryptedKey: value('encryptedKey'),
    });
    state.told.rows.set(key, told);
  }
  return {
    currentKid:
      newest === undefined ? undefined : { value: newest.row.kid, at: newest.row.encryptedAt * 1000 },
    rows: rows.sort((a, b) => (a.kid < b.kid ? -1 : 1)),
  };
}

/** Text of an API key, and what its row holds under a key-encryption key. */
export function makeApiKey(
  origin: Origin,
  given: {
    readonly owner: string;
    readonly number: number;
    readonly mek: { readonly kid: string; readonly bytes: Uint8Array };
    readonly expires: number;
  },
): { readonly key: string; readonly row: StoredApiKey } {
  const { seed } = origin;
  const { owner, number, mek } = given;
  const key = `nvapi-${derived(seed, 32, 'api-key', number).toString('base64url')}`;
  const keyId = derivedHex(seed, 32, 'api-key-id', number);
  const details = sealWrapped(mek.bytes, {
    header: { kid: mek.kid },
    contentKey: derived(seed, 32, 'api-key-cek', number),
    ivs: [derived(seed, 12, 'api-key-iv', number), derived(seed, 12, 'api-key-text-iv', number)],
    plain: JSON.stringify({ owner, expires: given.expires, policies: ['invoke_function'] }),
  });
  const hash = createHash('sha256').update(key).digest('hex');
  return { key, row: { hash, owner, keyId, details } };
}

/** API keys that were issued before the run, under the installation's key. */
export function seedApiKeys(state: CassandraState, origin: Origin): Map<string, StoredApiKey> {
  const { seed, epoch } = origin;
  const mek = { kid: seededKid(seed, epoch), bytes: seededKey(seed, 'private_jwks') };
  const rows = new Map<string, StoredApiKey>();
  for (let number = 0; number < API_KEYS; number += 1) {
    const owner = `account-${1 + (number % 8)}`;
    const { key, row } = makeApiKey(origin, { owner, number, mek, expires: epoch + 300 * DAY });
    rows.set(row.hash, row);
    state.told.apiKeys.add(key);
  }
  return rows;
}
