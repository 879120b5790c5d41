import type { SecretSource } from '../engine/read/runbook.ts';
import { sourceWords } from '../engine/read/secret-source.ts';

/** A secret that cannot be read. Names the source and the next step, never the value. */
export class SecretSourceError extends Error {
  readonly hint: string;

  constructor(message: string, hint: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'SecretSourceError';
    this.hint = hint;
  }
}

export function failure(
  name: string,
  source: SecretSource,
  what: string,
  hint: string,
  cause?: unknown,
): SecretSourceError {
  return new SecretSourceError(`the secret "${name}": ${sourceWords(source)} ${what}`, hint, cause);
}
