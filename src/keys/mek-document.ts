import { decodeBase64, decodeBase64url, keyTextLength } from './base64.ts';
import { shortHash } from './hash.ts';
import { uuidV1Time } from './kid.ts';
import { MekKey } from './mek-key.ts';
import { MekDocument } from './mek-key-sets.ts';
import type { JsonMembers, JsonValue } from './strict-json.ts';
import { isList, isMembers, parseStrictJson } from './strict-json.ts';

export type { MekDocument };

export type MekDocumentRead =
  | { readonly ok: true; readonly document: MekDocument; readonly warnings: readonly string[] }
  /** Every problem, one sentence each, without key material. */
  | { readonly ok: false; readonly problems: readonly string[] };

/** More than OpenBao stores in one entry. */
const largest = 2 ** 20;

interface Findings {
  readonly problems: string[];
  readonly warnings: string[];
}

interface KeySet {
  readonly keys: readonly MekKey[];
  readonly rest: JsonMembers;
}

/**
 * Reads the fields of the KV secret, UTF-8 JSON as OpenBao gives them. Refuses what a consumer would refuse, or would take
 * differently from another consumer: marks that disagree, a kid twice in one set, a key of another length. Never throws.
 */
export function parseMekDocument(json: Uint8Array): MekDocumentRead {
  const findings: Findings = { problems: [], warnings: [] };
  const fields = readFields(json, findings);
  if (fields === undefined) return { ok: false, problems: findings.problems };
  const keys = readSet('keys', fields.keys, findings);
  const privateJwks = readSet('private_jwks', fields.private_jwks, findings);
  const currentKid = readCurrentKid(fields.current_kid, findings);
  const jweMapping = readMapping(fields.jwe_mapping, findings);
  if (
    keys === undefined ||
    privateJwks === undefined ||
    currentKid === undefined ||
    jweMapping === undefined ||
    findings.problems.length > 0
  )
    return { ok: false, problems: findings.problems };
  const document = new MekDocument(
    { keys: keys.keys, privateJwks: privateJwks.keys, currentKid, jweMappingKid: jweMapping.kid },
    {
      fields: { ...fields, keys: null, private_jwks: null, jwe_mapping: null },
      keys: keys.rest,
      privateJwks: privateJwks.rest,
      jweMapping: jweMapping.rest,
    },
  );
  checkMarks(document, findings);
  checkSets(document, findings);
  return findings.problems.length > 0
    ? { ok: false, problems: findings.problems }
    : { ok: true, document, warnings: findings.warnings };
}

/** The KV fields as UTF-8 JSON, unknown fields and unknown JWK members as they were read. Secret: wrap it at once. */
export function serializeMekDocument(document: MekDocument): Uint8Array {
  return Buffer.from(JSON.stringify(document.fields()));
}

export interface MekKeySummary {
  readonly kid: string;
  /** `shortHash`. */
  readonly hash12: string;
}

export interface MekSummary {
  readonly currentKid: string;
  readonly keys: readonly MekKeySummary[];
  readonly privateJwks: readonly MekKeySummary[];
  /** Kids in both sets whose bytes differ. */
  readonly differing: readonly string[];
}

/** What may be printed and journaled. */
export function mekSummary(document: MekDocument): MekSummary {
  return {
    currentKid: document.currentKid,
    keys: document.keys.map(summary),
    privateJwks: document.privateJwks.map(summary),
    differing: document.keys
      .filter(({ kid, hash }) => (document.privateKey(kid)?.hash ?? hash) !== hash)
      .map(({ kid }) => kid),
  };
}

function summary(key: MekKey): MekKeySummary {
  return { kid: key.kid, hash12: shortHash(key.hash) };
}

/** The base64url text of every key of both sets, for `ctx.protect`. */
export function secretsOf(document: MekDocument): readonly Uint8Array[] {
  return [...document.keys, ...document.privateJwks].map((key) => key.text());
}

function readFields(json: Uint8Array, findings: Findings): JsonMembers | undefined {
  if (json.length > largest) {
    findings.problems.push(`The secret has ${json.length} bytes, more than ${largest}.`);
    return undefined;
  }
  const read = parseStrictJson(json);
  if (!read.ok) findings.problems.push(`The secret is not JSON that can be kept: ${read.problem}.`);
  else if (isMembers(read.value)) return read.value;
  else findings.problems.push('The secret is not a JSON object of fields.');
  return undefined;
}

function readSet(field: string, value: JsonValue | undefined, findings: Findings): KeySet | undefined {
  const problem = (text: string): undefined => void findings.problems.push(text);
  if (typeof value !== 'string') return problem(missing(field, value));
  const bytes = decodeBase64(value);
  if (bytes === undefined || bytes.length === 0)
    return problem(`${field} is not standard base64 with padding and without line breaks.`);
  const read = parseStrictJson(bytes);
  bytes.fill(0);
  if (!read.ok) return problem(`${field} holds no JSON that can be kept: ${read.problem}.`);
  if (isList(read.value))
    return problem(`${field} holds a bare list; the consumers' templates need the object {"keys": [...]}.`);
  const list = isMembers(read.value) ? read.value.keys : undefined;
  if (!isMembers(read.value) || !isList(list)) return problem(`${field} holds no object {"keys": [...]}.`);
  if (list.length === 0) return problem(`${field} holds no key.`);
  const keys = list.flatMap((item, index) => readKey(`${field}, element ${index + 1}`, item, findings) ?? []);
  const seen = new Set<string>();
  for (const { kid } of keys) {
    if (seen.has(kid)) problem(`${field} has the kid ${kid} twice; consumers would use the last one.`);
    seen.add(kid);
  }
  return { keys, rest: { ...read.value, keys: null } };
}

function readKey(place: string, jwk: JsonValue, findings: Findings): MekKey | undefined {
  if (!isMembers(jwk)) {
    findings.problems.push(`${place} is no JWK.`);
    return undefined;
  }
  const before = findings.problems.length;
  const problem = (text: string): undefined => void findings.problems.push(text);
  const { kid, kty, alg, use, k } = jwk;
  if (!isKid(kid)) problem(`${place}: kid is not 1 to 256 printable characters without a space.`);
  const named = isKid(kid) ? `${place} (kid ${kid})` : place;
  if (kty !== 'oct') problem(`${named}: kty is not "oct".`);
  if (alg !== 'A256GCM') problem(`${named}: alg is not "A256GCM".`);
  if (use !== undefined && use !== 'enc') problem(`${named}: use is not "enc".`);
  const bytes = typeof k === 'string' && k.length === keyTextLength ? decodeBase64url(k) : undefined;
  if (bytes === undefined)
    problem(`${named}: k is not 32 bytes in base64url without padding (43 characters).`);
  return bytes === undefined || !isKid(kid) || findings.problems.length > before
    ? undefined
    : new MekKey(kid, bytes, jwk);
}

function readCurrentKid(value: JsonValue | undefined, findings: Findings): string | undefined {
  if (isKid(value)) return value;
  findings.problems.push(
    typeof value === 'string'
      ? 'current_kid is not 1 to 256 printable characters without a space.'
      : missing('current_kid', value),
  );
  return undefined;
}

function readMapping(
  value: JsonValue | undefined,
  findings: Findings,
): { readonly kid: string; readonly rest: JsonMembers } | undefined {
  const problem = (text: string): undefined => void findings.problems.push(text);
  if (typeof value !== 'string') return problem(missing('jwe_mapping', value));
  const read = parseStrictJson(Buffer.from(value));
  if (!read.ok) return problem(`jwe_mapping is not JSON text that can be kept: ${read.problem}.`);
  const kid = isMembers(read.value) ? read.value.payload_jwe_kid : undefined;
  if (!isMembers(read.value) || !isKid(kid))
    return problem('jwe_mapping is not the text {"payload_jwe_kid": "<kid>"}.');
  return { kid, rest: { ...read.value, payload_jwe_kid: null } };
}

/** ESS takes the first key, the other consumers `current_kid`: nothing but this check keeps them together. */
function checkMarks(document: MekDocument, { problems }: Findings): void {
  const { currentKid, jweMappingKid } = document;
  const first = document.keys[0]?.kid ?? '';
  if (uuidV1Time(first) === undefined)
    problems.push(
      `The first kid of keys (${first}) is no lower-case UUIDv1; ESS would refuse the whole list.`,
    );
  if (document.key(currentKid) === undefined) problems.push(`current_kid (${currentKid}) is not in keys.`);
  else if (first !== currentKid)
    problems.push(`The first kid of keys (${first}) is not current_kid (${currentKid}).`);
  if (document.privateKey(currentKid) === undefined)
    problems.push(`current_kid (${currentKid}) is not in private_jwks.`);
  if (jweMappingKid !== currentKid)
    problems.push(`jwe_mapping names the kid ${jweMappingKid}, not current_kid (${currentKid}).`);
}

function checkSets(document: MekDocument, { warnings }: Findings): void {
  const sets = [
    ['keys', document.keys, 'private_jwks', document.privateJwks],
    ['private_jwks', document.privateJwks, 'keys', document.keys],
  ] as const;
  for (const [name, keys, otherName, others] of sets) {
    const byHash = new Map<string, string>();
    for (const { kid, hash } of keys) {
      const twin = byHash.get(hash);
      if (twin !== undefined) warnings.push(`${name} has the same key under the kids ${twin} and ${kid}.`);
      byHash.set(hash, kid);
      if (!others.some((other) => other.kid === kid))
        warnings.push(`The kid ${kid} is in ${name} and not in ${otherName}.`);
    }
  }
  for (const { kid } of document.keys.slice(1))
    if (uuidV1Time(kid) === undefined)
      warnings.push(`The kid ${kid} in keys is no lower-case UUIDv1; ESS takes it for older than any.`);
}

/** Kids are printed, logged and compared as they are. */
function isKid(value: JsonValue | undefined): value is string {
  return typeof value === 'string' && /^[!-~]{1,256}$/.test(value);
}

function missing(field: string, value: JsonValue | undefined): string {
  return value === undefined ? `The field ${field} is missing.` : `The field ${field} is not text.`;
}
