import { webcrypto } from 'node:crypto';
import { Secret } from '../../engine/secret.ts';
import type { ReadContext } from '../../engine/step-type.ts';
import { StepError } from '../../engine/step-type.ts';
import { connect, nameOfSecret, readKv } from '../mek/openbao.ts';
import type { OpenBaoGroup } from '../mek/target.ts';

/** Master keys by kid, as `jose` takes them. */
export type MasterKeys = ReadonlyMap<string, webcrypto.CryptoKey>;

/** What a proof starts from. */
export interface MasterKeySet {
  readonly masterKeys: MasterKeys;
  /** Kid of the key that ESS wraps with. */
  readonly active: string;
}

/** Reads the master keys by a reading of its own, so that a mistake of the one that wraps does not hide here. */
export async function readMasterKeys(ctx: ReadContext, openbao: OpenBaoGroup): Promise<MasterKeySet> {
  const bao = await connect(ctx, openbao);
  const { data } = await readKv(ctx, bao, bao.at);
  const fields: unknown = data.revealText(parse);
  const invalid = (problem: string) =>
    new StepError('mek-document-invalid', `${nameOfSecret(bao.at)}: ${problem}.`, {
      outcome: 'not-applied',
      hint: 'See every problem with mek.inspect.',
    });
  const { keys: encoded, current_kid: current } = isRecord(fields) ? fields : {};
  const set: unknown = typeof encoded === 'string' ? parse(Buffer.from(encoded, 'base64').toString()) : null;
  const list: unknown = isRecord(set) ? set.keys : undefined;
  if (!Array.isArray(list)) throw invalid('keys is not the base64 of an object with a list of keys');
  const masterKeys = new Map<string, webcrypto.CryptoKey>();
  for (const item of list as readonly unknown[]) {
    const { kty, kid, k }: Readonly<Record<string, unknown>> = isRecord(item) ? item : {};
    if (kty !== 'oct' || typeof kid !== 'string' || typeof k !== 'string')
      throw invalid('an element of keys is no octet key with a kid');
    ctx.protect(Secret.fromText('master key', k));
    const bytes = Buffer.from(k, 'base64url');
    if (bytes.length !== 32) throw invalid(`key ${kid} has ${bytes.length} bytes instead of 32`);
    if (masterKeys.has(kid)) throw invalid(`kid ${kid} stands twice in keys`);
    masterKeys.set(kid, await importKey(bytes));
    bytes.fill(0);
  }
  const [first] = masterKeys.keys();
  if (first === undefined) throw invalid('keys is empty');
  if (first !== current)
    throw invalid(`ESS wraps with the first key, ${first}, while current_kid is ${String(current)}`);
  return { masterKeys, active: first };
}

async function importKey(bytes: Uint8Array): Promise<webcrypto.CryptoKey> {
  return await webcrypto.subtle.importKey('raw', bytes, { name: 'AES-GCM' }, false, ['decrypt']);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The parser's message would quote what is secret.
    return undefined;
  }
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
