import type { Range, SourceFile } from './source-file.ts';

export type Severity = 'error' | 'warning';

/** Where something is: a range in a source file. */
export interface Location {
  readonly file: SourceFile;
  readonly range: Range;
}

/** One thing the user should know about a document. Built by read and plan; only `output/` prints it. */
export interface Diagnostic {
  /** Stable, kebab-case; the text may change, the code does not. */
  readonly code: string;
  readonly severity: Severity;
  readonly message: string;
  readonly location: Location;
  /** Other places that belong to it: the first definition of a duplicate id, each edge of a cycle. */
  readonly related?: readonly { readonly location: Location; readonly message: string }[];
  /** What to write or do instead. */
  readonly hint?: string;
}

export type Result<T> =
  | { readonly ok: true; readonly value: T; readonly warnings: readonly Diagnostic[] }
  | { readonly ok: false; readonly diagnostics: readonly Diagnostic[] };
