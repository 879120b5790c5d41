import type { KeyObject } from 'node:crypto';

/** A JWK of one of the sets. Printing or serialising it shows kid and hash alone. */
export class MekKey {
  readonly kid: string;
  /** `keyHash` of the 32 bytes. */
  readonly hash: string;

  constructor(kid: string, hash: string) {
    this.kid = kid;
    this.hash = hash;
  }

  /** For node:crypto; made once and kept. */
  get keyObject(): KeyObject {
    throw new Error('not built');
  }
}
