import type { Diagnostic } from '../../src/engine/diagnostic.ts';
import { SourceFile } from '../../src/engine/source-file.ts';

/** A diagnostic at the characters between « and ». */
export function diagnosticAt(marked: string, more: Partial<Diagnostic> = {}, path = 'book.yaml'): Diagnostic {
  const start = marked.indexOf('«');
  const end = marked.indexOf('»') - 1;
  const file = new SourceFile(path, marked.replace('«', '').replace('»', ''));
  return {
    code: 'some-code',
    severity: 'error',
    message: 'something is wrong',
    location: { file, range: { start, end } },
    ...more,
  };
}
