import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { touched } from '../../../src/engine/plan/touched.ts';

const write = (path: string) => [{ path, mode: 'write' as const }];
const look = (path: string) => [{ path, mode: 'read' as const }];

/** The definition, segment by segment. */
function overlap(one: string, other: string): boolean {
  const [a, b] = [one.split('/'), other.split('/')];
  return a.slice(0, b.length).every((part, index) => part === '*' || b[index] === '*' || part === b[index]);
}

describe('touched resources', () => {
  test.each<[string, string, boolean]>([
    ['kubernetes/nvcf/deployments.apps/a', 'kubernetes/nvcf/deployments.apps/a', true],
    ['kubernetes/nvcf/deployments.apps/a', 'kubernetes/nvcf/deployments.apps/b', false],
    ['kubernetes/nvcf/pods/*', 'kubernetes/nvcf/pods/x', true],
    ['kubernetes/nvcf/pods/x', 'kubernetes/*/pods/*', true],
    ['kubernetes/nvcf', 'kubernetes/nvcf/pods/x', true],
    ['kubernetes/nvcf/pods/x', 'kubernetes/nvcf', true],
    ['kubernetes/nvcf-other', 'kubernetes/nvcf', false],
  ])('%s and %s: %s', (changed, seen, touches) => {
    const all = touched();
    all.add(write(changed), 'step');
    expect(all.writerOf(look(seen))).toBe(touches ? 'step' : undefined);
  });

  test('what is only read touches nothing', () => {
    const all = touched();
    all.add(look('a/b'), 'step');
    expect(all.writerOf(look('a/b'))).toBeUndefined();
  });

  test('agree with the definition for any paths', () => {
    const path = fc
      .array(fc.constantFrom('a', 'b', '*'), { minLength: 1, maxLength: 4 })
      .map((parts) => parts.join('/'));
    fc.assert(
      fc.property(fc.array(path, { maxLength: 6 }), path, (written, seen) => {
        const all = touched();
        for (const [index, one] of written.entries()) all.add(write(one), `step${index}`);
        const writer = all.writerOf(look(seen));
        expect(writer !== undefined).toBe(written.some((one) => overlap(one, seen)));
        if (writer !== undefined) expect(overlap(written[Number(writer.slice(4))] ?? '', seen)).toBe(true);
      }),
      { numRuns: 500 },
    );
  });
});
