import { describe, expect, test } from 'vitest';
import { checkExpression } from '../../src/engine/expression.ts';
import type { SchemaNode } from '../../src/engine/step-schema.ts';

const names: Readonly<Record<string, SchemaNode>> = {
  outputs: {
    type: 'object',
    properties: { count: { type: 'integer' }, pods: { type: 'array', items: { type: 'string' } } },
  },
};

/** Each problem as 'code [text] message | hint'. */
function problems(text: string): string[] {
  return checkExpression(text, names, 'boolean').problems.map(
    ({ code, start, end, message, hint }) =>
      `${code} [${text.slice(start, end)}] ${message}${hint === undefined ? '' : ` | ${hint}`}`,
  );
}

describe('syntax', () => {
  test.each([
    ['', 'cel-syntax [] an empty expression'],
    ['outputs.count = 1', 'cel-syntax [=] "=" does not compare | write =='],
    ['1 === 1', 'cel-syntax [=] "===" is no operator | write =='],
    ['1 <> 2', 'cel-syntax [>] "<>" is no operator | write !='],
    ['true and false', 'cel-syntax [and] "and" is no operator | write &&'],
    ['true or false', 'cel-syntax [or] "or" is no operator | write ||'],
    ['not true', 'cel-syntax [true] "not" is no operator | write ! in front of what is negated'],
    ['true & false', 'cel-syntax [&] "&" is no operator | write &&'],
    ['"a" matches "b"', 'cel-syntax [matches] "matches" is a function | write text.matches("pattern")'],
    [
      '{{inputs.x}} == 1',
      'cel-syntax [{{] a template does not stand in an expression | write the bare name: inputs.name',
    ],
    ['$x', 'cel-syntax [$] names have no $ | write the bare name: inputs.name'],
    ['(1 == 1', 'cel-syntax [] ")" is missing at the end'],
    ['1 ==', 'cel-syntax [] the expression ends too early'],
    ['outputs..count', 'cel-syntax [.] a name was expected here, not "."'],
    ['"abc', 'cel-syntax ["abc] the text in quotes does not end'],
    ['namespace == "x"', 'cel-syntax [namespace] "namespace" is a reserved word of CEL and cannot be a name'],
  ])('%j', (text, expected) => {
    expect(problems(text)).toEqual([expected]);
  });

  test('length and nesting have limits', () => {
    expect(problems(`"${'x'.repeat(4000)}" == "x"`)[0]).toContain('an expression has at most 4000');
    const loops = 'outputs.pods.all(a, outputs.pods.all(b, outputs.pods.all(c, outputs.pods.all(d, true))))';
    expect(problems(loops)[0]).toContain('more than 3 loops inside one another');
    expect(problems('('.repeat(100) + ')'.repeat(100))).toHaveLength(1);
  });
});
