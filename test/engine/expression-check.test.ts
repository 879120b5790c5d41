import { describe, expect, test } from 'vitest';
import { checkExpression } from '../../src/engine/expression.ts';
import type { SchemaNode } from '../../src/engine/step-schema.ts';

const pod: SchemaNode = {
  type: 'object',
  additionalProperties: false,
  properties: {
    name: { type: 'string' },
    ready: { type: 'boolean' },
    restarts: { type: 'integer' },
    cpu: { type: 'number' },
    labels: { type: 'object', additionalProperties: { type: 'string' } },
  },
};

const names: Readonly<Record<string, SchemaNode>> = {
  outputs: {
    type: 'object',
    additionalProperties: false,
    properties: {
      pods: { type: 'array', items: pod },
      verdict: { type: 'string', enum: ['complete', 'failed'] },
      body: { type: 'object' },
      count: { type: 'integer' },
      ratio: { type: 'number' },
      text: { type: 'string' },
      maybe: { type: ['string', 'null'] },
    },
  },
  inputs: {
    type: 'object',
    additionalProperties: false,
    properties: {
      token: { type: 'string', 'x-secret': true },
      service: { type: 'object', additionalProperties: false, properties: { name: { type: 'string' } } },
    },
  },
  steps: {
    type: 'object',
    additionalProperties: false,
    properties: {
      restart: {
        type: 'object',
        additionalProperties: false,
        properties: { state: { type: 'string', enum: ['applied', 'skipped'] } },
      },
    },
  },
};

/** Each problem as 'code [text] message | hint'; warnings with a '?' in front. */
function problems(text: string, expected: Parameters<typeof checkExpression>[2] = 'boolean'): string[] {
  return checkExpression(text, names, expected).problems.map(
    ({ code, severity, start, end, message, hint }) =>
      `${severity === 'warning' ? '? ' : ''}${code} [${text.slice(start, end)}] ${message}${hint === undefined ? '' : ` | ${hint}`}`,
  );
}

test.each([
  'outputs.pods.all(p, p.ready && p.restarts == 0)',
  'outputs.pods.filter(p, !p.ready).map(p, p.name) == ["a"]',
  'outputs.ratio == 0 && outputs.ratio > 0 && outputs.ratio + 1 > 2 && 1 == 1.0',
  'outputs.pods[0].cpu * 2 <= outputs.count',
  'outputs.ratio / 2.0 > 0.4 && double(outputs.count) / outputs.ratio > 1.0',
  'int(outputs.count) / size(outputs.pods) > 1',
  'outputs.pods.all(p, p.labels["app.kubernetes.io/name"] == "x" || p.labels.app == "y")',
  'outputs.pods.exists(p, p.labels.exists(key, key == "a"))',
  'has(inputs.token) && has(outputs.body.x)',
  'inputs["service"].name == "nvcf-api"',
  'outputs.verdict in ["complete", "failed"] && steps.restart.state != "skipped"',
  'outputs.maybe == null || outputs.maybe == "x"',
  'outputs.text.matches("^v[0-9]+$") && duration(outputs.text) > duration("5m")',
  'timestamp(outputs.text) < timestamp("2030-01-01T00:00:00Z")',
  'cel.bind(n, size(outputs.pods), n > 1 && n < 4)',
  '["a", "b"].exists(x, x == outputs.text)',
  'type(outputs.count) == int',
])('nothing to say about %s', (text) => {
  expect(problems(text)).toEqual([]);
});

describe('names and fields', () => {
  test.each([
    ['output.pods == []', 'cel-unknown-name [output] unknown name "output" | did you mean "outputs"?'],
    [
      'foo == 1',
      'cel-unknown-name [foo] unknown name "foo" | known names: outputs, inputs, steps; text stands in quotes',
    ],
    ['outputs.pods.all(p, p.redy)', 'cel-unknown-field [redy] p has no field "redy" | did you mean "ready"?'],
    [
      'outputs.pods[0].foo == 1',
      'cel-unknown-field [foo] outputs.pods[0] has no field "foo" | it has: name, ready, restarts, cpu, labels',
    ],
    [
      'outputs.pods.filter(x, x.ready)[0].nam == "a"',
      'cel-unknown-field [nam] outputs.pods.filter(x, x.ready)[0] has no field "nam" | did you mean "name"?',
    ],
    [
      'inputs["servce"].name == "x"',
      'cel-unknown-field ["servce"] inputs has no field "servce" | did you mean "service"?',
    ],
    [
      'steps.restrat.state == "applied"',
      'cel-unknown-field [restrat] steps has no field "restrat" | did you mean "restart"?',
    ],
    [
      'has(outputs.foo)',
      'cel-unknown-field [foo] outputs has no field "foo" | it has: pods, verdict, body, count, ratio, text, maybe',
    ],
    [
      'outputs.pods.length == 1',
      'cel-unknown-field [length] outputs.pods is a list and has no field "length" | write size(outputs.pods)',
    ],
    [
      'outputs.count.foo == 1',
      'cel-unknown-field [foo] outputs.count is a whole number and has no field "foo"',
    ],
    [
      'outputs.pods.exist(p, p.ready)',
      'cel-unknown-name [exist] unknown function exist() | did you mean "exists"?',
    ],
    [
      'outputs.body.x == 1',
      '? cel-unknown-field [x] the fields of outputs.body are only known in the run: nobody can check "x" before | ask has(outputs.body.x) first',
    ],
  ])('%s', (text, expected) => {
    expect(problems(text)).toEqual([expected]);
  });

  test('reports all of them at once', () => {
    expect(problems('outputs.pods.all(p, p.redy && p.nam == inputs.servic.name) || foo')).toHaveLength(4);
  });
});

describe('types', () => {
  test.each([
    [
      'outputs.pods == 1',
      'cel-type [outputs.pods == 1] "==" does not compare a list with a whole number | count the elements with size(…)',
    ],
    [
      'outputs.text > 3',
      'cel-type [outputs.text > 3] ">" does not compare text with a whole number | write the number without quotes, or int(…) around the text',
    ],
    [
      'outputs.text + 1 == "x"',
      'cel-type [outputs.text + 1] "+" does not join text and a whole number | write string(…) around the number',
    ],
    [
      'outputs.count == null',
      'cel-type [outputs.count == null] "==" does not compare a whole number with null | a value of this type is never null; ask has(…) for a field that may be absent',
    ],
    [
      'duration("5m") > outputs.text',
      'cel-type [duration("5m") > outputs.text] ">" does not compare a duration with text | write duration(…) around the text',
    ],
    [
      '!outputs.count',
      'cel-type [!outputs.count] "!" does not apply to a whole number | compare it first: !(x > 0)',
    ],
    [
      '(outputs.count == 1 || outputs.text) && true',
      'cel-type [outputs.text] && and || join conditions, not text | compare it first: x == "…" or x > 0',
    ],
    [
      'outputs.pods.all(p, p.name)',
      'cel-type [p.name] the condition of a loop gives text, but true or false is needed | compare it first: x == "…" or x > 0',
    ],
    [
      'outputs.count == 1 ? 1 : "a"',
      'cel-type [outputs.count == 1 ? 1 : "a"] both sides of ":" must be of one type, not a whole number and text',
    ],
    [
      'outputs.pods["a"].ready',
      'cel-unknown-field ["a"] outputs.pods is a list, which is indexed with a whole number | ask the elements: .exists(x, …), .all(x, …), .filter(x, …)',
    ],
    ['outputs.text.all(x, true)', 'cel-type [outputs.text] only a list or a map has elements, not text'],
    [
      'outputs.text.startsWith(1)',
      'cel-type [outputs.text.startsWith(1)] startsWith() on text does not take a whole number',
    ],
    [
      'outputs.verdict == "complet"',
      'cel-type ["complet"] outputs.verdict is never "complet" | did you mean "complete"?',
    ],
    [
      'outputs.verdict in ["complete", "x"]',
      'cel-type ["x"] outputs.verdict is never "x" | it is one of complete, failed',
    ],
    [
      'outputs.ratio / 2 > 0.4',
      'cel-type [outputs.ratio / 2] these may be whole numbers, which divide without a remainder: 1 / 2 is 0 | write double(outputs.ratio) / 2, or int(…) around both sides',
    ],
    [
      'outputs.count / 2 > 1',
      '? cel-type [outputs.count / 2] whole numbers divide without a remainder: 1 / 2 is 0 | write double(outputs.count) / 2, or int(…) around both sides',
    ],
    ['outputs.text.matches("[a")', 'cel-type ["[a"] pattern: a "[" without its "]"'],
    [
      'duration("5 minutes") > duration("2d")',
      'cel-type ["5 minutes"] "5 minutes" is no duration | write a text such as "90s", "5m" or "1h30m"',
    ],
    [
      'outputs.text.matches(outputs.text)',
      'cel-type [outputs.text] the pattern of matches() is a text in quotes',
    ],
    [
      'has(outputs.pods[0].name)',
      'cel-type [outputs.pods[0].name] has() takes names joined by dots | write has(outputs.name); whether a list has an element is asked with size()',
    ],
  ])('%s', (text, expected) => {
    expect(problems(text)).toEqual([expected]);
  });

  test.each([
    [
      'outputs.verdict',
      'boolean',
      'this gives text, but true or false is needed | compare it: outputs.verdict == "…"',
    ],
    [
      'outputs.pods',
      'boolean',
      'this gives a list, but true or false is needed | ask it: size(outputs.pods) > 0, or .all(x, …)',
    ],
    [
      'outputs.count',
      'boolean',
      'this gives a whole number, but true or false is needed | compare it: outputs.count == 0',
    ],
    ['outputs.count', 'list', 'this gives a whole number, but a list is needed'],
    [
      'outputs.count',
      'string',
      'this gives a whole number, but text is needed | write string(outputs.count)',
    ],
  ] as const)('%s as %s', (text, expected, message) => {
    expect(problems(text, expected)).toEqual([`cel-type [${text}] ${message}`]);
  });

  test('a list, a text and any value are accepted where they are expected', () => {
    expect(problems('outputs.pods.map(p, p.name)', 'list')).toEqual([]);
    expect(problems('outputs.text + "x"', 'string')).toEqual([]);
    expect(problems('{"a": 1}', 'any')).toEqual([]);
  });
});

describe('secrets', () => {
  test.each([
    [
      'inputs.token == "x"',
      'cel-type [inputs.token] inputs.token is a secret, which an expression cannot read | an expression may only ask has(inputs.token)',
    ],
    ['inputs.all(key, key != "x")', 'cel-type [inputs] inputs holds secrets | name the field that you need'],
    ['inputs[outputs.text] == "x"', 'cel-type [inputs] inputs holds secrets | name the field that you need'],
  ])('%s', (text, expected) => {
    expect(problems(text)).toEqual([expected]);
  });
});

test('references are paths from root names, with their places', () => {
  const text =
    'outputs.pods.all(p, p.name == inputs.service.name) && has(inputs.token) && steps["restart"].state == "applied"';
  const { references } = checkExpression(text, names, 'boolean');
  expect(references.map(({ path, start, end }) => [path.join('/'), text.slice(start, end)])).toEqual([
    ['outputs/pods', 'outputs.pods'],
    ['inputs/service/name', 'inputs.service.name'],
    ['inputs/token', 'inputs.token'],
    ['steps/restart/state', 'steps["restart"].state'],
  ]);
});
