import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  childOf,
  itemOf,
  localIdOf,
  parentOf,
  parseInstance,
  undoOf,
  verifyOf,
} from '../../../src/engine/plan/instance.ts';

describe('instance ids', () => {
  test('are built as the journal shows them', () => {
    expect(childOf('@steps', 'restart')).toBe('restart');
    expect(childOf('@recheck', 'healthy')).toBe('@recheck/healthy');
    expect(childOf('@recheck/all', 'healthy')).toBe('@recheck/all/healthy');
    expect(childOf(itemOf('all', 'nvcf'), 'restart')).toBe('all[nvcf]/restart');
    expect(childOf(verifyOf('restart'), 'check')).toBe('restart~verify/check');
    expect(childOf(undoOf('restart[a]'), 'putBack')).toBe('restart[a]~undo/putBack');
  });

  test('a key keeps what it holds, whatever it holds', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (outer, inner) => {
        const instance = childOf(undoOf(itemOf(childOf(itemOf('all', outer), 'one'), inner)), 'back');
        const parsed = parseInstance(instance);
        expect(parsed?.segments.map(({ separator, id, key }) => ({ separator, id, key }))).toEqual([
          { separator: '', id: 'all', key: outer },
          { separator: '/', id: 'one', key: inner },
          { separator: '~undo/', id: 'back', key: undefined },
        ]);
      }),
      { numRuns: 300 },
    );
  });

  test('no key can forge another instance', () => {
    expect(itemOf('a', 'x]/b[y')).toBe('a[x%5D/b%5By]');
    expect(itemOf('a', 'line\nbreak\u001b[2J')).toBe('a[line%0Abreak%1B%5B2J]');
  });

  test.each([
    ['restart', undefined],
    ['restart[a/b]', 'restart'],
    ['all[a/b]/restart', 'all[a/b]'],
    ['all/one/two', 'all/one'],
    ['restart[a]~verify/check', 'restart[a]'],
    ['restart~undo/putBack', 'restart'],
    ['@recheck/healthy', undefined],
  ])('the parent of %s is %s', (instance, parent) => {
    expect(parentOf(instance)).toBe(parent);
  });

  test.each([
    ['restart', 'restart'],
    ['restart[a/b]', 'restart[a/b]'],
    ['all[a/b]/restart[c/d]', 'restart[c/d]'],
    ['restart~verify/check', 'check'],
  ])('of %s, %s is its own part', (instance, own) => {
    expect(localIdOf(instance)).toBe(own);
  });

  test.each(['a//b', 'a[b', '/a', 'a~undone/b', '@other/a'])('%s is no instance id', (text) => {
    expect(parseInstance(text)).toBeUndefined();
  });
});
