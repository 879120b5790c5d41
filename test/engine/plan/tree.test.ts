import { expect, test } from 'vitest';
import { typesOf } from '../../../src/engine/plan/tree.ts';
import { group, include, runbook, step } from '../../fakes/plan-nodes.ts';

test('a plan knows every step type that its run may come to', () => {
  const use = (uses: string) => step(uses, { uses });
  const blocks = runbook(
    [
      step('one', { uses: 'a', verify: [group('seen', [use('b')])], rollback: [use('c')] }),
      group('all', [use('d')], { rollback: [use('e')] }),
      include('other', [use('f')], {
        preconditions: [use('g')],
        verifications: [include('inner', [use('h')])],
        rollback: [use('i')],
      }),
      step('kept', { uses: 'a', rollback: { irreversible: 'it is kept' } }),
    ],
    { preconditions: [use('j')], verifications: [use('k')], rollback: [use('l')] },
  );
  expect([...typesOf({ blocks })].sort().join('')).toBe('abcdefghijkl');
});
