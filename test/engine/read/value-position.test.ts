import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseYaml } from '../../../src/engine/read/parse.ts';
import { at } from '../../../src/engine/read/tree.ts';
import { partOf } from '../../../src/engine/read/value-position.ts';
import { SourceFile } from '../../../src/engine/source-file.ts';

/** The characters of the source that a part of the value of `a` comes from. */
function source(document: string, part: string): string {
  const file = new SourceFile('a.yaml', document);
  const parsed = parseYaml(file);
  const found = parsed.ok ? at(parsed.tree, ['a'])?.tree : undefined;
  if (found?.kind !== 'scalar') throw new Error('no value');
  const start = String(found.value).indexOf(part);
  expect(start).toBeGreaterThanOrEqual(0);
  const range = partOf(file, found, { start, end: start + part.length });
  return document.slice(range.start, range.end);
}

describe('a part of a value is found in its source', () => {
  test.each([
    ['plain', 'a: one two three\n', 'two'],
    ['in quotes', 'a: "one two three"\n', 'two'],
    ['behind escapes', 'a: "\\"one\\" \\x41\\u00e9\\U0001F600 two"\n', 'two'],
    ['behind doubled quotes', "a: 'it''s two o''clock'\n", 'two'],
    ['behind a folded line', 'a: one\n  and two\n', 'two'],
    ['behind a folded line in quotes', 'a: "one\n\n   and \\\n   two"\n', 'two'],
    ['in a literal block', 'a: |\n    one\n      and two\n', 'two'],
    ['in a folded block', 'a: >-\n  one\n  and two\n\n  three\n', 'two'],
    ['in a folded block with lines indented deeper', 'a: >\n  one\n    deeper\n  and two\n', 'two'],
    ['behind CRLF', 'a: |\r\n  one\r\n  and two\r\n', 'two'],
    ['with an indentation indicator', 'a: |2\n    one\n  two\n', 'two'],
  ])('%s', (_name, document, part) => {
    expect(source(document, part)).toBe(part);
  });

  test('an escape counts as the character it stands for', () => {
    expect(source('a: "x\\u00e9y"\n', 'é')).toBe('\\');
    expect(source('a: "x\\u00e9y"\n', 'y')).toBe('y');
  });

  test('whatever stands before it, and however it is written', () => {
    const text = fc.string({
      unit: fc.constantFrom('a', 'b', ' ', '"', "'", '\\', '\n', 'é', '😀', '{', ':'),
      maxLength: 20,
    });
    const style = fc.constantFrom<(value: string) => string>(
      (value) => JSON.stringify(value),
      (value) =>
        `|2\n${value
          .split('\n')
          .map((line) => `  ${line}`)
          .join('\n')}`,
    );
    fc.assert(
      fc.property(text, style, (before, write) => {
        expect(source(`a: ${write(`x${before}TWO`)}\n`, 'TWO')).toBe('TWO');
      }),
      { numRuns: 500 },
    );
  });
});
