import type { Json } from './json.ts';
import type { Lookup, Resolved } from './value.ts';

export interface TemplateReference {
  readonly path: readonly string[];
  /** Offsets into the template's text. */
  readonly start: number;
  readonly end: number;
}

export type ParsedTemplate =
  | { readonly ok: true; readonly references: readonly TemplateReference[]; readonly exact: boolean }
  | {
      readonly ok: false;
      readonly message: string;
      readonly start: number;
      readonly end: number;
      readonly hint?: string;
    };

export declare function parseTemplate(text: string): ParsedTemplate;
/** One string. A template that is exactly one expression keeps the value's type; text that mixes in a secret is a secret. */
export declare function renderTemplate(text: string, lookup: Lookup): Resolved;
/** A whole tree; unknown when any part is. */
export declare function renderValue(value: Json, lookup: Lookup): Resolved;
/** A whole tree for people: unknown parts become '‹known after x›', secrets their mask. */
export declare function renderForDisplay(
  value: Json,
  lookup: Lookup,
): { readonly value: Json; readonly after: readonly string[] };
