/** The bytes, when the text is exactly what encoding them gives: no padding left out, no stray character, no spare bit. */
export function decodeBase64(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64');
  return bytes.toString('base64') === text ? bytes : undefined;
}

/** As `decodeBase64`, for base64url without padding (RFC 7515 §2). */
export function decodeBase64url(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64url');
  return bytes.toString('base64url') === text ? bytes : undefined;
}

/** Length of 32 bytes in base64url. */
export const keyTextLength = 43;

// Six bits a character; 255 marks what is no character of the alphabet.
const sextets = new Uint8Array(256).fill(255);
for (const [value, character] of [
  ...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_',
].entries())
  sextets[character.charCodeAt(0)] = value;

/** Whether these bytes are the base64url text of 32 bytes. Makes no string of a key, which could not be wiped. */
export function isKeyText(text: Uint8Array): boolean {
  if (text.length !== keyTextLength) return false;
  let bits = 0;
  for (const byte of text) bits |= sextets[byte] ?? 255;
  const last = sextets[text[keyTextLength - 1] ?? 0] ?? 255;
  return bits < 64 && (last & 3) === 0;
}
