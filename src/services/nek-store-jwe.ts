/** `kid` in the header of a compact JWE (RFC 7516 §7.1); null for anything else. Nothing is decrypted or judged. */
export function kidOf(value: unknown): string | null {
  if (typeof value !== 'string') return null;
  const parts = value.split('.');
  const [header = ''] = parts;
  if (parts.length !== 5 || !/^[\w-]+$/u.test(header)) return null;
  try {
    const parsed: unknown = JSON.parse(Buffer.from(header, 'base64url').toString('utf8'));
    if (typeof parsed !== 'object' || parsed === null || !('kid' in parsed)) return null;
    return typeof parsed.kid === 'string' ? parsed.kid : null;
  } catch {
    return null;
  }
}
