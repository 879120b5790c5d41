import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import type { Json } from '../../src/engine/json.ts';
import { toYaml } from '../../src/output/yaml-text.ts';

describe('YAML text', () => {
  test('reads as an author would write it', () => {
    expect(
      toYaml([
        {
          id: 'restart',
          uses: 'kubectl.pods',
          with: { namespace: 'nvcf', replicas: 3, labels: {} },
          list: ['a', ['b']],
        },
      ]),
    ).toBe(
      `- id: restart
  uses: kubectl.pods
  with:
    namespace: nvcf
    replicas: 3
    labels: {}
  list:
    - a
    - - b
`,
    );
  });

  test.each([
    '',
    'true',
    'null',
    '007',
    '1e3',
    '- a',
    'a: b',
    'a #b',
    '{{inputs.x}}',
    '*x',
    'yes: no',
    ' lead',
    'trail ',
    'a\nb',
    '2024-01-01',
    '.5',
    '~',
  ])('quotes %j so that it stays a string', (text) => {
    expect(parse(toYaml({ text }))).toEqual({ text });
  });

  test('means the same after a YAML parser read it', () => {
    const key = fc.stringMatching(/^[a-zA-Z][a-zA-Z0-9_-]{0,8}$/).filter((name) => name !== '__proto__');
    const { value } = fc.letrec<{ value: Json }>((tie) => ({
      value: fc.oneof(
        { maxDepth: 3 },
        fc.string(),
        fc.integer(),
        fc.boolean(),
        fc.constant(null),
        fc.array(tie('value'), { maxLength: 3 }),
        fc.dictionary(key, tie('value'), { maxKeys: 3, noNullPrototype: true }),
      ),
    }));
    fc.assert(
      fc.property(value, (json) => {
        expect(parse(toYaml({ json }), { schema: 'core' })).toEqual({ json });
      }),
      { numRuns: 300 },
    );
  });
});
