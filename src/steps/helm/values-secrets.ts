import type { Json, JsonObject } from '../../engine/json.ts';
import { looksSecret } from '../kubectl/mask.ts';
import { isObject } from '../kubectl/touched.ts';

/** Names that point to a secret, or say something about one, and hold none. */
const reference =
  /^existing|(?:name|names|ref|path|file|dir|url|uri|host|class|policy|type|kind|ttl|seconds|period|timeout|interval|enabled)$/i;
const named = /^(?:auth|key|jwk|jwks|pem|dsn|connectionString)$/i;
const password = /(?:pass(?:word|wd|phrase)?|secret|token|pin)$/i;
const content: readonly RegExp[] = [
  /-----BEGIN [A-Z ]*PRIVATE KEY-----/,
  // The same in base64.
  /LS0tLS1CRUdJTi/,
  // A JWK with its private part; base64 of `{"keys":[`, `{"kty"`, `{"auths"` or of a signed token's header.
  /"kty"\s*:[^}]*"[kd]"\s*:/,
  /\beyJ(?:rZXlzI|rdHki|hdXRocyI|[\w-]{10,}\.eyJ)/,
  /"auths"\s*:/,
  /AGE-SECRET-KEY-1/i,
  /\bhvs\.[\w-]{20,}/,
  /\bs\.[A-Za-z0-9]{24}\b/,
  /:\/\/[^/\s:@]+:[^/\s:@]+@/,
];

/** Paths of the values that look like secrets, by their name or by what they are: 'cassandra.dbUser.password', 'env[1].value'. */
export function secretPaths(values: JsonObject): readonly string[] {
  return search({ path: '', name: '', within: false }, values);
}

interface Place {
  readonly path: string;
  /** The name that tells what the value is. */
  readonly name: string;
  /** Below a map or list with the name of a secret. */
  readonly within: boolean;
}

function search(place: Place, value: Json): readonly string[] {
  if (Array.isArray(value))
    return value.flatMap((item, index) => search({ ...place, path: `${place.path}[${index}]` }, item));
  if (isObject(value)) {
    const within = place.within || (tells(place.name) && !reference.test(place.name));
    return Object.entries(value).flatMap(([key, item]) => {
      // An environment variable: `name` says what `value` is.
      const name = key === 'value' && typeof value.name === 'string' ? value.name : key;
      const path = place.path === '' ? key : `${place.path}.${key}`;
      return search({ path, name, within }, item);
    });
  }
  return isSecret(place, value) ? [place.path] : [];
}

function isSecret({ name, within }: Place, value: Json): boolean {
  if (typeof value === 'number') return password.test(name);
  if (typeof value !== 'string' || value === '') return false;
  if (content.some((form) => form.test(value))) return true;
  return !reference.test(name) && (within || tells(name));
}

function tells(name: string): boolean {
  return looksSecret(name) || named.test(name);
}
