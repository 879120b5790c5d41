import { describe, expect, test } from 'vitest';
import { formatGithub } from '../../src/output/diagnostics-github.ts';
import { formatJson } from '../../src/output/diagnostics-json.ts';
import { formatSarif } from '../../src/output/diagnostics-sarif.ts';
import { diagnosticAt } from './diagnostics.ts';

const first = diagnosticAt('risk: low\nrisk: «high»\n', { hint: 'keep one' }, 'runbooks/a b.yaml');
const withRelated = {
  ...first,
  related: [
    { location: { file: first.location.file, range: { start: 0, end: 4 } }, message: 'the first one' },
  ],
};
const warning = diagnosticAt('a: «b»\n', { severity: 'warning', code: 'other' });

describe('json', () => {
  test('is one versioned object on one line', () => {
    const text = formatJson([withRelated, warning]);
    expect(text.trimEnd()).not.toContain('\n');
    expect(JSON.parse(text)).toEqual({
      version: 1,
      valid: false,
      errors: 1,
      warnings: 1,
      diagnostics: [
        {
          code: 'some-code',
          severity: 'error',
          message: 'something is wrong',
          hint: 'keep one',
          location: {
            file: 'runbooks/a b.yaml',
            start: { line: 2, column: 7, offset: 16 },
            end: { line: 2, column: 11, offset: 20 },
            source: { text: 'risk: high', column: 1 },
          },
          related: [
            {
              message: 'the first one',
              location: {
                file: 'runbooks/a b.yaml',
                start: { line: 1, column: 1, offset: 0 },
                end: { line: 1, column: 5, offset: 4 },
                source: { text: 'risk: low', column: 1 },
              },
            },
          ],
        },
        {
          code: 'other',
          severity: 'warning',
          message: 'something is wrong',
          location: expect.objectContaining({ file: 'book.yaml' }),
          related: [],
        },
      ],
    });
  });

  test('is valid with warnings only, and without anything', () => {
    expect(JSON.parse(formatJson([warning]))).toMatchObject({ valid: true, errors: 0, warnings: 1 });
    expect(JSON.parse(formatJson([]))).toEqual({
      version: 1,
      valid: true,
      errors: 0,
      warnings: 0,
      diagnostics: [],
    });
  });

  test('holds no more of a long line than what surrounds the place, and no half characters', () => {
    const long = diagnosticAt(`${'😀'.repeat(4000)}«x»${'😀'.repeat(4000)}`);
    const { source, start } = JSON.parse(formatJson([long])).diagnostics[0].location;
    expect(source.text.length).toBeLessThanOrEqual(241);
    expect(source.text.isWellFormed?.() ?? !/^[\udc00-\udfff]|[\ud800-\udbff]$/.test(source.text)).toBe(true);
    expect(source.text[start.column - source.column]).toBe('x');
  });
});

describe('github', () => {
  test('is one command for each, with everything that means something to it escaped', () => {
    const odd = diagnosticAt('a: «b»\n', { message: '100% of\nlines', code: 'a,b:c' }, 'x:y,z.yaml');
    expect(formatGithub([withRelated, warning, odd])).toBe(
      [
        '::error file=runbooks/a b.yaml,line=2,endLine=2,col=7,endColumn=10,title=some-code::something is wrong%0Arunbooks/a b.yaml:1: the first one%0Ahint: keep one',
        '::warning file=book.yaml,line=1,endLine=1,col=4,endColumn=4,title=other::something is wrong',
        '::error file=x%3Ay%2Cz.yaml,line=1,endLine=1,col=4,endColumn=4,title=a%2Cb%3Ac::100%25 of%0Alines',
        '',
      ].join('\n'),
    );
  });

  test('is nothing when there is nothing', () => {
    expect(formatGithub([])).toBe('');
  });
});

describe('sarif', () => {
  test('is a 2.1.0 log with rules, places and related places', () => {
    const log = JSON.parse(formatSarif([withRelated, warning], '1.2.3'));
    expect(log.version).toBe('2.1.0');
    expect(log.runs[0].tool.driver).toEqual({
      name: 'runbook',
      version: '1.2.3',
      rules: [{ id: 'other' }, { id: 'some-code' }],
    });
    expect(log.runs[0].columnKind).toBe('utf16CodeUnits');
    expect(log.runs[0].results[0]).toEqual({
      ruleId: 'some-code',
      ruleIndex: 1,
      level: 'error',
      message: { text: 'something is wrong\nkeep one' },
      locations: [
        {
          physicalLocation: {
            artifactLocation: { uri: 'runbooks/a%20b.yaml' },
            region: { startLine: 2, startColumn: 7, endLine: 2, endColumn: 11 },
          },
        },
      ],
      relatedLocations: [
        {
          id: 0,
          message: { text: 'the first one' },
          physicalLocation: {
            artifactLocation: { uri: 'runbooks/a%20b.yaml' },
            region: { startLine: 1, startColumn: 1, endLine: 1, endColumn: 5 },
          },
        },
      ],
    });
    expect(log.runs[0].results[1]).toMatchObject({ ruleId: 'other', ruleIndex: 0, level: 'warning' });
  });

  test('names absolute paths as file URIs, and is a log without results when there is nothing', () => {
    const absolute = JSON.parse(formatSarif([diagnosticAt('«a»', {}, '/tmp/x y.yaml')], '1'));
    expect(absolute.runs[0].results[0].locations[0].physicalLocation.artifactLocation.uri).toBe(
      'file:///tmp/x%20y.yaml',
    );
    expect(JSON.parse(formatSarif([], '1')).runs[0].results).toEqual([]);
  });
});
