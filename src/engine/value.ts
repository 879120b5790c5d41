import type { Value } from './secret.ts';

export type { Value } from './secret.ts';

/** What a reference leads to. `after`: instance or step ids whose results it needs. */
export type Resolved =
  | { readonly state: 'known'; readonly value: Value }
  | { readonly state: 'unknown'; readonly after: readonly string[] }
  /** An error before anything runs: names the reference and the reason. */
  | { readonly state: 'missing'; readonly why: string };

/** Resolves a reference such as ['steps', 'restart', 'outputs', 'revision'] in one instance's scope. */
export type Lookup = (path: readonly string[]) => Resolved;
