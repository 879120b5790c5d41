import { expect, test } from 'vitest';
import { outputsText } from '../../src/output/outputs-text.ts';

test('scalars are lines, records are tables, logs stand under their pod', () => {
  expect(
    outputsText({
      status: '3 of 3 unsealed',
      services: { 'nvcf-api': { pods: '1/1', healthy: true }, nats: { pods: '2/3', healthy: false } },
      absent: [],
      pods: [
        { name: 'a', ready: 1 },
        { name: 'bb', note: 'x' },
      ],
      text: 'first\nsecond\n',
      logs: [{ pod: 'a', container: 'c', lines: ['one', 'two\u001b[2J'], truncated: false }],
    }),
  ).toBe(`status: 3 of 3 unsealed

services:
NAME      PODS  HEALTHY
nvcf-api  1/1   yes
nats      2/3   no

absent: none

pods:
NAME  READY  NOTE
a     1
bb           x

text:
first
second

logs:
== pod a, container c, truncated no
one
two\\x1b[2J
`);
});

test('anything deeper is YAML', () => {
  expect(outputsText({ deep: [{ a: { b: [1] } }] })).toBe('deep:\n- a:\n    b:\n      - 1\n');
});
