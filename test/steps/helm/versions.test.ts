import { expect, test } from 'vitest';
import { compareVersions, versionStep } from '../../../src/steps/helm/versions.ts';

// The example of SemVer 2.0.0 §11, in rising order.
const rising = [
  '1.0.0-alpha',
  '1.0.0-alpha.1',
  '1.0.0-alpha.beta',
  '1.0.0-beta',
  '1.0.0-beta.2',
  '1.0.0-beta.11',
  '1.0.0-rc.1',
  '1.0.0',
  '1.0.1',
  '1.2.0',
  '1.10.0',
  '2.0.0',
];

test('versions are ordered as SemVer says', () => {
  for (const [low, one] of rising.entries())
    for (const [high, other] of rising.entries())
      expect(compareVersions(one, other)).toBe(Math.sign(low - high));
  expect(compareVersions('v1.1.3', '1.1.3')).toBe(0);
  expect(compareVersions('1.0.0+build.5', '1.0.0')).toBe(0);
  expect(compareVersions('latest', '1.0.0')).toBeUndefined();
});

test.each([
  ['1.25.1', '1.25.2', 'patch'],
  ['1.25.1', '1.26.0', 'minor'],
  ['1.25.1', '2.0.0', 'major'],
  ['1.25.1', '1.25.1', 'none'],
  ['1.25.1', '1.24.9', 'older'],
  ['1.25.1', '1.25.2-rc.1', 'patch'],
  ['1.25.2', '1.25.2-rc.1', 'older'],
  ['1.25.1', 'latest', 'unclear'],
])('from %s to %s is %s', (from, to, step) => {
  expect(versionStep(from, to)).toBe(step);
});
