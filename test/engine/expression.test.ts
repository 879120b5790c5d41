import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { evaluateExpression, explainExpression, expressionReferences } from '../../src/engine/expression.ts';
import { Secret } from '../../src/engine/secret.ts';
import type { Value } from '../../src/engine/value.ts';

const values: Readonly<Record<string, Value>> = {
  outputs: {
    pods: [
      { name: 'nvcf-api-5f4d', ready: true, restarts: 0, cpu: 1 },
      { name: 'nvcf-api-7d9c', ready: false, restarts: 3, cpu: 0.5 },
    ],
    verdict: 'failed',
    count: 2,
    ratio: 1,
    text: 'hello',
    maybe: null,
    big: 1e300,
    odd: { constructor: 1, __proto__x: 2, toString: 'own' },
  },
  inputs: {
    token: Secret.fromText('token', 'hvs.canary-canary'),
    service: { name: 'nvcf-api' },
    namespaces: ['nvcf', 'sis'],
  },
};

describe('evaluateExpression', () => {
  test.each<[string, unknown]>([
    ['outputs.pods.all(p, p.ready)', false],
    ['outputs.pods.exists(p, p.restarts > 2)', true],
    ['outputs.pods.exists_one(p, p.ready)', true],
    ['outputs.pods.filter(p, p.ready).map(p, p.name)', ['nvcf-api-5f4d']],
    ['outputs.pods.map(p, p.ready, p.name)', ['nvcf-api-5f4d']],
    ['size(outputs.pods) == outputs.count', true],
    ['outputs.ratio == 1.0 && outputs.ratio == 1 && outputs.count == 2.0', true],
    ['outputs.pods[0].cpu + outputs.pods[1].cpu', 1.5],
    ['outputs.pods[1].cpu * outputs.count', 1],
    ['outputs.count - 0.5', 1.5],
    ['outputs.count / 4.0', 0.5],
    ['double(outputs.count) / 4', 0.5],
    ['outputs.ratio in [1.0, 2.5] && outputs.count in [2, 3]', true],
    ['outputs.maybe == null', true],
    ['outputs.count == "2"', false],
    ['outputs.big > 5', true],
    ['outputs.odd.constructor == 1 && has(outputs.odd.toString)', true],
    ['has(outputs.odd.valueOf) || has(outputs.odd.hasOwnProperty)', false],
    ['has(inputs.token)', true],
    ['has(inputs.tokem)', false],
    ['inputs.service == {"name": "nvcf-api"}', true],
    ['inputs.namespaces.filter(n, n != "sis")', ['nvcf']],
    ['outputs.text.matches("^h.*o$")', true],
    ['["a", "b"].exists(x, x.matches("^b$"))', true],
    ['outputs.text.startsWith("he") ? "yes" : "no"', 'yes'],
    ['{"a": outputs.count, "b": [1.5]}', { a: 2, b: [1.5] }],
    ['duration("1h30m")', '5400s'],
    ['duration("90s") < duration("2m")', true],
    ['duration("2d") == duration("48h") && duration("1d12h") == duration("36h")', true],
    ['["5m"].all(d, duration(d) < duration("1d"))', true],
    ['timestamp("2024-01-01T00:00:00Z") + duration("1h")', '2024-01-01T01:00:00.000Z'],
    ['[outputs.text, outputs.count].size()', 2],
  ])('%s', (text, expected) => {
    expect(evaluateExpression(text, values)).toEqual(expected);
  });

  test.each([
    ['outputs.pods.all(p, p.redy)', 'p.redy: there is no "redy"'],
    ['missing.x == 1', 'missing: there is no "missing"'],
    ['outputs.pods[7].name', 'outputs.pods[7]: there is no element 7: the list has 2'],
    ['outputs.text > 3', 'outputs.text > 3: ">" does not compare text with a whole number'],
    ['duration(outputs.text) > duration("5m")', 'duration(outputs.text): this is no duration'],
    ['timestamp(outputs.text) == timestamp(0)', 'timestamp(outputs.text): this is no timestamp'],
    [
      'outputs.text.matches("(?=a)")',
      'pattern "(?=a)": look-around and other groups "(?…" are not supported',
    ],
    ['1 / 0', '1 / 0: division by zero'],
    ['outputs.count ==', 'outputs.count ==: the expression ends too early'],
    ['9007199254740993', 'the whole number 9007199254740993 is too large'],
    ['double("inf")', 'the result is not a finite number'],
    ['type(1)', 'the result is not a value that can be recorded'],
    ['__proto__.x == 1', '__proto__.x == 1: "__proto__" is a reserved word of CEL and cannot be a name'],
  ])('%s fails', (text, message) => {
    expect(() => evaluateExpression(text, values)).toThrow(
      expect.objectContaining({ name: 'ExpressionError', message }),
    );
  });

  test.each([
    'inputs.token == "hvs.canary-canary"',
    'inputs.token',
    'inputs',
    'inputs.all(key, inputs[key] != "x")',
    'string(inputs.token)',
    '[inputs.token]',
    'inputs["token"] == "x"',
    'has(inputs.token.x) || inputs.token.size() > 0',
    'cel.bind(i, inputs, i.token == "x")',
  ])('%s: a secret answers only to has()', (text) => {
    let message = '';
    try {
      message = JSON.stringify(evaluateExpression(text, values));
    } catch (error) {
      message = String(error);
    }
    expect(message).toMatch(/a secret, which an expression may only ask has\(\) about$/);
    expect(explainExpression(text, values).join()).not.toContain('canary');
  });

  test('the work of loops inside one another is bounded', () => {
    const many = Array.from({ length: 5000 }, (_, index) => index);
    const text = 'many.all(a, many.all(b, a + b >= 0))';
    expect(() => evaluateExpression(text, { many })).toThrow(/would take 25000000 steps/);
    expect(evaluateExpression('many.all(a, a >= 0)', { many })).toBe(true);
    const long = 'x'.repeat(20_000);
    expect(() =>
      evaluateExpression('long.split("").all(a, long.split("").all(b, a == b))', { long }),
    ).toThrow(/steps/);
  });

  test('whole numbers come back as they went in', () => {
    fc.assert(
      fc.property(fc.maxSafeInteger(), fc.double({ noNaN: true, noDefaultInfinity: true }), (int, double) => {
        expect(evaluateExpression('a', { a: int })).toBe(int);
        expect(evaluateExpression('[a, b]', { a: int, b: double })).toEqual([int, double + 0]);
        expect(evaluateExpression('a < b', { a: int, b: double })).toBe(int < double);
      }),
    );
  });

  test('JSON survives: any value is what it was', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 3 }), (value) => {
        const plain = JSON.parse(JSON.stringify(value)) as Value;
        expect(evaluateExpression('v', { v: plain })).toEqual(plain);
      }),
    );
  });
});

describe('expressionReferences', () => {
  test.each([
    ['outputs.pods.all(p, p.name == inputs.service.name)', ['outputs.pods', 'inputs.service.name']],
    ['steps.a.outputs.b + steps["c-d"].outputs.e', ['steps.a.outputs.b', 'steps.c-d.outputs.e']],
    ['steps.a.outputs.list[inputs.index].x', ['steps.a.outputs.list', 'inputs.index']],
    ['has(steps.a.outputs.x) ? item : item', ['steps.a.outputs.x', 'item']],
    ['cel.bind(x, inputs.a, x + inputs.b)', ['inputs.a', 'inputs.b']],
    ['type(1) == int', []],
    ['not parsed (', []],
  ])('%s', (text, expected) => {
    expect(expressionReferences(text).map((path) => path.join('.'))).toEqual(expected);
  });
});

describe('explainExpression', () => {
  test.each<[string, string[]]>([
    ['outputs.pods.all(p, p.ready)', ['outputs.pods[1].ready = false (nvcf-api-7d9c)']],
    [
      'outputs.pods.all(p, p.ready && p.restarts == 0)',
      ['outputs.pods[1].ready = false (nvcf-api-7d9c)', 'outputs.pods[1].restarts = 3 (nvcf-api-7d9c)'],
    ],
    ['outputs.count == 3 && outputs.ratio == 1', ['outputs.count = 2']],
    ['(outputs.count == 1 || outputs.ratio > 2.0) && true', ['outputs.count = 2', 'outputs.ratio = 1']],
    [
      'outputs.pods.exists(p, p.restarts > 5)',
      [
        'p.restarts > 5 holds for none of the 2 elements of outputs.pods',
        'outputs.pods[0].restarts = 0 (nvcf-api-5f4d)',
        'outputs.pods[1].restarts = 3 (nvcf-api-7d9c)',
      ],
    ],
    ['!outputs.pods.exists(p, p.restarts > 0)', ['outputs.pods[1].restarts = 3 (nvcf-api-7d9c)']],
    ['outputs.pods.filter(p, p.restarts > 0).all(p, p.ready)', ['p.ready = false (p is nvcf-api-7d9c)']],
    ['size(outputs.pods.filter(p, !p.ready)) == 0', ['size(outputs.pods.filter(p, !p.ready)) = 1']],
    [
      'outputs.count > 1 ? outputs.verdict == "complete" : true',
      ['outputs.count = 2', 'outputs.verdict = "failed"'],
    ],
    ['outputs.verdict in ["complete"]', ['outputs.verdict = "failed"']],
    ['inputs.namespaces.all(n, n.startsWith("nv"))', ['inputs.namespaces[1].startsWith("nv") = false']],
    ['[].exists(x, x == 1)', ['[] is empty']],
    ['has(inputs.tokem)', ['has(inputs.tokem) = false']],
    [
      'outputs.pods.all(p, p.redy)',
      [
        'outputs.pods[0].redy: there is no "redy" (nvcf-api-5f4d)',
        'outputs.pods[1].redy: there is no "redy" (nvcf-api-7d9c)',
      ],
    ],
    ['outputs.count ==', ['the expression ends too early']],
  ])('%s', (text, expected) => {
    expect(explainExpression(text, values)).toEqual(expected);
  });

  test('at most ten lines, and long values are cut', () => {
    const pods = Array.from({ length: 40 }, (_, index) => ({ name: `pod-${index}`, ready: false }));
    const lines = explainExpression('pods.all(p, p.ready)', { pods });
    expect(lines).toHaveLength(10);
    expect(lines[0]).toBe('pods[0].ready = false (pod-0)');
    expect(lines[9]).toBe('… and 31 more');
    expect(explainExpression('log == "x"', { log: 'y'.repeat(5000) })[0]).toHaveLength('log = '.length + 121);
  });
});
