import { parseAllDocuments } from 'yaml';
import type { Json } from '../json.ts';

/**
 * Documents that a program wrote, not a person: any number, with anchors and merge keys. Throws an error that says where, and quotes
 * nothing.
 */
export function parseDocuments(text: string): readonly Json[] {
  const documents = parseAllDocuments(text, { merge: true, logLevel: 'silent', prettyErrors: false });
  if (!Array.isArray(documents)) return [];
  return documents.flatMap((document) => {
    const [error] = document.errors;
    if (error !== undefined) throw new Error(`not valid YAML at character ${error.pos[0]}`);
    const value = document.toJS({ maxAliasCount: 1000 }) as Json | undefined;
    return value === undefined || value === null ? [] : [value];
  });
}
