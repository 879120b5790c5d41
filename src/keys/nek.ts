/** A namespace key in the clear, inside this process only: no way to print or read its bytes. */
export class Nek {
  /** RFC 7638 thumbprint (SHA-256, base64url) of the octet JWK: what the row's kid must be. */
  readonly thumbprint: string;

  constructor(thumbprint: string) {
    this.thumbprint = thumbprint;
  }

  /** Same bytes, in constant time. */
  equals(_other: Nek): boolean {
    throw new Error('not built');
  }

  /** Overwrites the bytes; the thumbprint stays. */
  wipe(): void {
    throw new Error('not built');
  }
}
