import { createCipheriv, createDecipheriv, createHash } from 'node:crypto';

export type JweHeader = Readonly<Record<string, unknown>>;

const TAG = 16;

function encode(value: Uint8Array | string): string {
  return Buffer.from(value).toString('base64url');
}

function seal(key: Uint8Array, iv: Uint8Array, given: { plain: Uint8Array; aad: string }): readonly Buffer[] {
  const cipher = createCipheriv('aes-256-gcm', key, iv);
  cipher.setAAD(Buffer.from(given.aad, 'ascii'));
  const text = Buffer.concat([cipher.update(given.plain), cipher.final()]);
  return [text, cipher.getAuthTag()];
}

/** The plaintext; undefined when the key does not fit. */
function unseal(
  key: Uint8Array,
  iv: Uint8Array,
  given: { sealed: Uint8Array; aad: string },
): Buffer | undefined {
  const { sealed, aad } = given;
  if (sealed.length < TAG) return undefined;
  try {
    const decipher = createDecipheriv('aes-256-gcm', key, iv, { authTagLength: TAG });
    decipher.setAAD(Buffer.from(aad, 'ascii'));
    decipher.setAuthTag(sealed.subarray(-TAG));
    return Buffer.concat([decipher.update(sealed.subarray(0, -TAG)), decipher.final()]);
  } catch {
    return undefined;
  }
}

/** The clear header of a compact JWE; undefined when it is none. */
export function headerOf(jwe: string): JweHeader | undefined {
  const parts = jwe.split('.');
  if (parts.length !== 5) return undefined;
  try {
    const header: unknown = JSON.parse(Buffer.from(parts[0] ?? '', 'base64url').toString('utf8'));
    return typeof header === 'object' && header !== null && !Array.isArray(header)
      ? (header as JweHeader)
      : undefined;
  } catch {
    return undefined;
  }
}

/** A compact JWE with `alg` 'dir' and A256GCM (RFC 7518 §4.5, §5.3). */
export function sealDirect(
  key: Uint8Array,
  given: { readonly header: JweHeader; readonly iv: Uint8Array; readonly plain: string },
): string {
  const header = encode(JSON.stringify({ alg: 'dir', enc: 'A256GCM', ...given.header }));
  const [text, tag] = seal(key, given.iv, { plain: Buffer.from(given.plain), aad: header });
  return `${header}..${encode(given.iv)}.${encode(text ?? '')}.${encode(tag ?? '')}`;
}

/**
 * The plaintext; undefined when the key does not fit. As lenient as ESS's library: where the ciphertext ends and the tag begins, how long the
 * IV is and how the parts are padded is not looked at.
 */
export function openDirect(jwe: string, key: Uint8Array): string | undefined {
  const [header = '', , iv = '', text = '', tag = ''] = jwe.split('.');
  const sealed = Buffer.concat([Buffer.from(text, 'base64url'), Buffer.from(tag, 'base64url')]);
  return unseal(key, Buffer.from(iv, 'base64url'), { sealed, aad: header })?.toString('utf8');
}

/** A compact JWE with `alg` 'A256GCMKW' and A256GCM (RFC 7518 §4.7): a content key of its own, wrapped by `key`. */
export function sealWrapped(
  key: Uint8Array,
  given: {
    readonly header: JweHeader;
    readonly contentKey: Uint8Array;
    readonly ivs: readonly [Uint8Array, Uint8Array];
    readonly plain: string;
  },
): string {
  const [keyIv, iv] = given.ivs;
  const [wrapped, keyTag] = seal(key, keyIv, { plain: given.contentKey, aad: '' });
  const header = encode(
    JSON.stringify({
      alg: 'A256GCMKW',
      enc: 'A256GCM',
      ...given.header,
      iv: encode(keyIv),
      tag: encode(keyTag ?? ''),
    }),
  );
  const [text, tag] = seal(given.contentKey, iv, { plain: Buffer.from(given.plain), aad: header });
  return [header, encode(wrapped ?? ''), encode(iv), encode(text ?? ''), encode(tag ?? '')].join('.');
}

/** The plaintext; undefined when the key does not fit. */
export function openWrapped(jwe: string, key: Uint8Array): string | undefined {
  const header = headerOf(jwe);
  const [aad = '', wrapped = '', iv = '', text = '', tag = ''] = jwe.split('.');
  if (typeof header?.iv !== 'string' || typeof header.tag !== 'string') return undefined;
  const bytes = (...parts: readonly string[]) =>
    Buffer.concat(parts.map((part) => Buffer.from(part, 'base64url')));
  const contentKey = unseal(key, bytes(header.iv), { sealed: bytes(wrapped, header.tag), aad: '' });
  if (contentKey === undefined) return undefined;
  return unseal(contentKey, bytes(iv), { sealed: bytes(text, tag), aad })?.toString('utf8');
}

/** RFC 7638 thumbprint of an octet key, from its base64url text. */
export function thumbprint(k: string): string {
  return createHash('sha256')
    .update(JSON.stringify({ k, kty: 'oct' }))
    .digest('base64url');
}
