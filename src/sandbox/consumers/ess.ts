import type { NekRow } from '../../services/nek-store.ts';
import { derived } from '../crypto/derive.ts';
import { headerOf, openDirect, sealDirect, thumbprint } from '../crypto/jwe.ts';
import { timeOfUuid, timeUuid } from '../crypto/time-uuid.ts';
import { changeRows } from '../nek-store/changes.ts';
import { hasQuorum, ownNodes } from '../nek-store/nodes.ts';
import { currentKidOf, rowsOf } from '../nek-store/rows.ts';
import { nekText, secretKey, wrapNek } from '../nek-store/seed.ts';
import { partitionOf, stamp } from '../nek-store/tables.ts';
import type { World } from '../world.ts';
import type { TextAnswer } from './answer.ts';
import { answer } from './answer.ts';
import { selectRow, unwrapRow } from './nek.ts';
import { say } from './running.ts';
import { type Consumer, count, type KeySet } from './state.ts';

const MINUTE = 60_000;
/** A cached row is used this long, and read again by a use after the shorter time. */
const CACHED = 60 * MINUTE;
const REFRESHED = 30 * MINUTE;

const SAYS = {
  JWE_PARSE_ERROR: 'unable to parse JWE.',
  ENCRYPTING_KEY_UNAVAILABLE: 'missing MEK.',
  KEY_DECRYPTION_ERROR: 'decryption error.',
  INTEGRITY_CHECKS_ERROR: 'integrity checks.',
} as const;

/** An error that ESS answers with. */
export class EssFailure extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.name = 'EssFailure';
    this.status = status;
  }
}

export function mask(kid: string): string {
  return `${kid.slice(0, 3)}***${kid.slice(-3)}`;
}

export function requireKeys(consumer: Consumer): KeySet {
  if (consumer.keys === undefined) throw new EssFailure(500, 'master keys are not available');
  return consumer.keys;
}

function rows(world: World, namespace: string, kid: string): readonly NekRow[] {
  const partition = partitionOf(world, namespace);
  return partition === undefined ? [] : rowsOf(partition, { namespace, kid, now: world.timeline.now });
}

/** The row that ESS reads from Cassandra for a key. Throws `EssFailure`. */
export function selectKey(world: World, consumer: Consumer, at: { namespace: string; kid: string }): NekRow {
  const { namespace, kid } = at;
  const selected = selectRow(rows(world, namespace, kid), requireKeys(consumer), (row, problem) => {
    const labels = `{ek_namespace="${namespace}",kid="${mask(row.kid)}",error_key="${problem}"}`;
    count(consumer, `nek_validation_errors_total${labels}`);
    say(world, consumer, `ERROR [http] %: Failed encryption key validation: ${SAYS[problem]}`);
  });
  if (!selected.ok) throw new EssFailure(500, `MissingKeyException: ${selected.why}`);
  return selected.row;
}

/** The row from memory, or from Cassandra; one that is neither old nor fresh is used once more and read again. */
function cached(
  world: World,
  cache: Map<string, { row: NekRow; at: number }>,
  given: { key: string; read: () => NekRow },
): NekRow {
  const { now } = world.timeline;
  const known = cache.get(given.key);
  const age = known === undefined ? CACHED : now - known.at;
  if (known !== undefined && age < REFRESHED) return known.row;
  const fresh = (): NekRow => {
    const row = given.read();
    cache.set(given.key, { row, at: now });
    return row;
  };
  if (known === undefined || age >= CACHED) return fresh();
  try {
    fresh();
  } catch (failure) {
    // The refresh happens behind the scenes; the old row lasts until its time is up.
    if (!(failure instanceof EssFailure)) throw failure;
  }
  return known.row;
}

function opened(consumer: Consumer, row: NekRow): Buffer {
  const keys = requireKeys(consumer);
  const verdict = unwrapRow(row, keys);
  if (verdict.state === 'usable') return Buffer.from(verdict.text, 'base64url');
  const kid = String(headerOf(row.encryptedKey ?? '')?.kid);
  throw new EssFailure(500, `Master key does not exist corresponding to KeyId: ${kid}`);
}

/**
 * A new key of a namespace. ESS wraps with the first key of the document at once: its grace period would fall back to a key that stands
 * before the first one, and there is none.
 */
export function createKey(
  world: World,
  consumer: Consumer,
  given: { readonly namespace: string; readonly status: string },
): string {
  const { namespace, status } = given;
  const keys = requireKeys(consumer);
  const bytes = keys.keys.get(keys.current);
  if (bytes?.length !== 32) throw new EssFailure(500, 'the master key cannot wrap a key');
  const at = stamp(world);
  const text = nekText(derived(world.seed, 32, 'new-nek', at));
  const createdAt = timeUuid(world.seed, world.timeline.now, 'new-nek', at);
  const encryptedAt = timeOfUuid(createdAt) ?? 0;
  const iv = derived(world.seed, 12, 'new-nek-iv', at);
  const mek = { kid: keys.current, bytes };
  const encryptedKey = wrapNek(mek, { text, iv, namespace, createdAt, encryptedAt });
  const kid = thumbprint(text);
  const row = [kid, encryptedAt, createdAt, mek.kid, status, encryptedKey] as const;
  changeRows(world, { what: 'insert', namespace, rows: [row], stamp: at });
  say(world, consumer, 'INFO  [http] %: NEKv2 write');
  return kid;
}

function encryptionRow(world: World, consumer: Consumer, namespace: string): NekRow {
  return cached(world, consumer.encryption, {
    key: namespace,
    read: () => {
      const partition = partitionOf(world, namespace);
      const current = partition === undefined ? null : currentKidOf(partition, world.timeline.now);
      if (current !== null) return selectKey(world, consumer, { namespace, kid: current });
      const kid = createKey(world, consumer, { namespace, status: 'CREATION_VALIDATED' });
      changeRows(world, { what: 'current-kid', namespace, kid });
      return selectKey(world, consumer, { namespace, kid });
    },
  });
}

/** Counts the outcome of finding a key. */
function counted<T>(consumer: Consumer, use: 'encryption' | 'decryption', find: () => T): T {
  try {
    const found = find();
    count(consumer, `nek_v2_${use}_gets_total`);
    return found;
  } catch (failure) {
    count(consumer, `nek_v2_${use}_get_errors_total`);
    throw failure;
  }
}

export interface EssCall {
  readonly method: string;
  /** 'functions/<id>/<path>'. */
  readonly path: string;
  readonly namespace: string;
  /** JSON text of `data`. */
  readonly value: string | undefined;
}

function put(world: World, consumer: Consumer, call: EssCall & { value: string }): TextAnswer {
  const { namespace, path, value } = call;
  const key = counted(consumer, 'encryption', () => {
    const row = encryptionRow(world, consumer, namespace);
    return { kid: row.kid, bytes: opened(consumer, row) };
  });
  const at = stamp(world);
  const version = timeUuid(world.seed, world.timeline.now, 'version', at);
  const iv = derived(world.seed, 12, 'secret-iv', at);
  const jwe = sealDirect(key.bytes, { header: { kid: key.kid }, iv, plain: value });
  world.cassandra.secrets.set(secretKey(namespace, path), { namespace, path, version, jwe });
  world.cassandra.told.secrets.set(secretKey(namespace, path), value);
  count(consumer, 'secret_creates_total');
  return answer(200, { version });
}

function get(world: World, consumer: Consumer, call: EssCall): TextAnswer {
  partitionOf(world, call.namespace);
  const secret = world.cassandra.secrets.get(secretKey(call.namespace, call.path));
  if (secret === undefined) throw new EssFailure(404, 'secret not found');
  const kid = String(headerOf(secret.jwe)?.kid);
  const { namespace } = secret;
  const bytes = counted(consumer, 'decryption', () => {
    const row = cached(world, consumer.decryption, {
      key: `${namespace} ${kid}`,
      read: () => selectKey(world, consumer, { namespace, kid }),
    });
    return opened(consumer, row);
  });
  const value = openDirect(secret.jwe, bytes);
  if (value === undefined) throw new EssFailure(500, 'the secret cannot be decrypted');
  count(consumer, 'secret_reads_total');
  return answer(200, { data: JSON.parse(value) as unknown, version: secret.version });
}

function remove(world: World, consumer: Consumer, call: EssCall): TextAnswer {
  partitionOf(world, call.namespace);
  const key = secretKey(call.namespace, call.path);
  if (!world.cassandra.secrets.delete(key)) throw new EssFailure(404, 'secret not found');
  world.cassandra.told.secrets.delete(key);
  count(consumer, 'secret_deletes_total');
  return { status: 204, type: 'application/json', body: '' };
}

/** ESS's answer to a call about a secret; what it changes is done when it is answered. */
export function answerEss(world: World, consumer: Consumer, call: EssCall): TextAnswer {
  try {
    if (!hasQuorum(world, ownNodes(world))) throw new EssFailure(500, 'Cassandra is not available');
    if (call.method === 'GET') return get(world, consumer, call);
    if (call.method === 'DELETE') return remove(world, consumer, call);
    const { value } = call;
    if (value === undefined) throw new EssFailure(400, 'the body has no data');
    return put(world, consumer, { ...call, value });
  } catch (failure) {
    if (!(failure instanceof EssFailure)) throw failure;
    if (failure.status >= 500) say(world, consumer, `ERROR [http] %: ${failure.message}`);
    return answer(failure.status, { error: failure.message });
  }
}
