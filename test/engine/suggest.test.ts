import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { editDistance, nameHint, suggest } from '../../src/engine/suggest.ts';

describe('editDistance', () => {
  test.each([
    ['', '', 0],
    ['abc', '', 3],
    ['rollback', 'rolback', 1],
    ['ready', 'redy', 1],
    ['ab', 'ba', 1],
    ['kitten', 'sitting', 3],
    ['service', 'sevrice', 1],
  ])('%j to %j takes %d', (from, to, expected) => {
    expect(editDistance(from, to)).toBe(expected);
  });

  test('is the same both ways, and zero only for equal words', () => {
    const word = fc.string({ maxLength: 12 });
    fc.assert(
      fc.property(word, word, (a, b) => {
        expect(editDistance(a, b)).toBe(editDistance(b, a));
        expect(editDistance(a, b) === 0).toBe(a === b);
      }),
    );
  });
});

describe('suggest', () => {
  test.each([
    ['redy', ['name', 'ready', 'restarts'], 'ready'],
    [
      'kubectl.rollout-restrat',
      ['kubectl.rollout-restart', 'kubectl.rollout-status'],
      'kubectl.rollout-restart',
    ],
    ['nvcf_api', ['nvcf-api', 'nvcf-app'], 'nvcf-api'],
    ['NAMESPACE', ['name', 'namespace'], 'namespace'],
    ['on_failure', ['onFailure', 'failure'], 'onFailure'],
    ['id', ['if', 'uses'], 'if'],
  ])('%s among %j means %s', (word, candidates, expected) => {
    expect(suggest(word, candidates)).toBe(expected);
  });

  test.each([
    ['zzz', ['name', 'ready']],
    ['pod', []],
    ['ready', ['ready']],
  ])('%s has no near neighbour', (word, candidates) => {
    expect(suggest(word, candidates)).toBeUndefined();
  });
});

test('absurdly long words are never close', () => {
  expect(suggest('x'.repeat(5000), ['x'.repeat(4999)])).toBeUndefined();
});

describe('nameHint', () => {
  test('proposes, or lists what there is', () => {
    expect(nameHint('redy', ['name', 'ready'], 'fields')).toBe('did you mean "ready"?');
    expect(nameHint('zzz', ['name', 'ready'], 'fields')).toBe('fields: name, ready');
    expect(nameHint('zzz', [], 'fields')).toBeUndefined();
    const many = Array.from({ length: 11 }, (_, index) => `field${index}`);
    expect(nameHint('zzz', many, 'fields')).toMatch(/field7, and 3 more$/);
  });
});
