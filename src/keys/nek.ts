import { hash, timingSafeEqual } from 'node:crypto';
import { isKeyText } from './base64.ts';

// RFC 7638 §3.3: the required members of an octet JWK, in lexicographic order, without white space.
const thumbprintInput = Buffer.from(`{"k":"${'.'.repeat(43)}","kty":"oct"}`, 'latin1');
const keyAt = thumbprintInput.indexOf('.');

/** A namespace key in the clear, inside this process only: no way to print or read its bytes. */
export class Nek {
  /** RFC 7638 thumbprint (SHA-256, base64url) of the octet JWK: what the row's kid must be. */
  readonly thumbprint: string;
  readonly #text: Buffer;

  private constructor(text: Buffer) {
    this.#text = text;
    text.copy(thumbprintInput, keyAt);
    this.thumbprint = hash('sha256', thumbprintInput, 'base64url');
    thumbprintInput.fill(0, keyAt, keyAt + text.length);
  }

  /** Takes over what a JWE held: the base64url text of 32 bytes, as ASCII; undefined (and overwritten) when it is anything else. */
  static fromText(text: Buffer): Nek | undefined {
    if (isKeyText(text)) return new Nek(text);
    text.fill(0);
    return undefined;
  }

  /** Same bytes, in constant time. A wiped key equals none but a wiped one. */
  equals(other: Nek): boolean {
    return timingSafeEqual(this.#text, other.#text);
  }

  /** Lets `use` see the text to encrypt it; it keeps none of it. */
  expose<T>(use: (text: Uint8Array) => T): T {
    return use(this.#text);
  }

  /** Overwrites the bytes; the thumbprint stays. */
  wipe(): void {
    this.#text.fill(0);
  }
}
