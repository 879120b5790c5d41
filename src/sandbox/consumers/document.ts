import { timeOfUuid } from '../crypto/time-uuid.ts';
import type { ConsumerKind, KeySet } from './state.ts';

type Fields = Readonly<Record<string, unknown>>;
type Result<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly problem: string };

function fail<T>(problem: string): Result<T> {
  return { ok: false, problem };
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function decoded(text: unknown): unknown {
  if (typeof text !== 'string') return undefined;
  try {
    return JSON.parse(Buffer.from(text, 'base64').toString('utf8'));
  } catch {
    return undefined;
  }
}

/** What a service's agent writes into its file; a template over something else than it expects writes nothing. */
export function render(kind: ConsumerKind, data: Fields): Result<string> {
  const set = decoded(kind === 'api-keys' ? data.private_jwks : data.keys);
  const list = isFields(set) ? set.keys : undefined;
  if (!Array.isArray(list) || list.length === 0)
    return fail('error rendering "secrets.json.tmpl": can\'t evaluate field keys');
  return { ok: true, value: JSON.stringify(kind === 'ess' ? { list } : { list, current: data.current_kid }) };
}

function essProblem(list: readonly Fields[], bytes: ReadonlyMap<string, Buffer>): string | undefined {
  const [first] = list;
  const kid = String(first?.kid);
  if (timeOfUuid(kid) === undefined) return `Current MEK ${kid} is not a UUIDv1`;
  const own = Buffer.from(String(first?.k), 'base64url');
  if (bytes.get(kid)?.equals(own) !== true)
    return `Current MEK ${kid} is not in the list of all MEKs or has mismatching value`;
  return undefined;
}

/** The keys of a rendered file, as the service makes them when it starts or refreshes. */
export function parse(kind: ConsumerKind, file: string): Result<KeySet> {
  const { list, current } = JSON.parse(file) as { list: readonly unknown[]; current?: unknown };
  const jwks: Fields[] = [];
  for (const jwk of list) {
    if (!isFields(jwk) || jwk.kty !== 'oct' || typeof jwk.kid !== 'string' || typeof jwk.k !== 'string')
      return fail('Invalid JWK in the list of MEKs');
    jwks.push(jwk);
  }
  const keys = new Map(jwks.map(({ kid, k }) => [String(kid), Buffer.from(String(k), 'base64url')]));
  const problem = kind === 'ess' ? essProblem(jwks, keys) : undefined;
  if (problem !== undefined) return fail(problem);
  const kids = jwks.map(({ kid }) => String(kid));
  return { ok: true, value: { current: kind === 'ess' ? (kids[0] ?? '') : String(current), keys, kids } };
}

/** The keys that a service would have if it started on this document. */
export function keysOf(kind: ConsumerKind, data: Fields): Result<KeySet> {
  const rendered = render(kind, data);
  return rendered.ok ? parse(kind, rendered.value) : rendered;
}
