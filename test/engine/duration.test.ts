import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatDuration, maxDuration, parseDuration } from '../../src/engine/duration.ts';

describe('parseDuration', () => {
  test.each([
    ['90s', 90_000],
    ['5m', 300_000],
    ['1h30m', 5_400_000],
    ['250ms', 250],
    ['2d', 172_800_000],
    ['1d2h3m4s5ms', 93_784_005],
    ['0s', 0],
    ['05m', 300_000],
    ['90d', 7_776_000_000],
    ['1m500ms', 60_500],
  ])('%s is %d ms', (text, expected) => {
    expect(parseDuration(text)).toBe(expected);
  });

  test.each([
    '',
    '5',
    's',
    '-5m',
    '+5m',
    '1.5h',
    '5 m',
    ' 5m',
    '5m\n',
    '5M',
    '1e3s',
    '30m1h',
    '5m5m',
    '5us',
    '1w',
    'forever',
    '0x10s',
    '91d',
    '90d1ms',
    '٣m',
    '99999999999999999999999999999999999999s',
  ])('%j is no duration', (text) => {
    expect(parseDuration(text)).toBeUndefined();
  });

  test('reads back what whole units write, up to 90 days', () => {
    const parts = fc.tuple(fc.nat(99), fc.nat(30), fc.nat(90), fc.nat(90), fc.nat(1500));
    fc.assert(
      fc.property(parts, ([d, h, m, s, ms]) => {
        const total = ((d * 24 + h) * 60 + m) * 60_000 + s * 1000 + ms;
        const parsed = parseDuration(`${d}d${h}h${m}m${s}s${ms}ms`);
        expect(parsed).toBe(total <= maxDuration ? total : undefined);
      }),
    );
  });
});

describe('formatDuration', () => {
  test.each([
    [-5, '0s'],
    [0, '0s'],
    [49, '0s'],
    [800, '0.8s'],
    [1000, '1s'],
    [9_999, '9.9s'],
    [10_900, '10s'],
    [59_999, '59s'],
    [60_000, '1m'],
    [125_000, '2m05s'],
    [3_600_000, '1h'],
    [5_400_000, '1h30m'],
    [86_400_000, '1d'],
    [273_600_000, '3d04h'],
  ])('%d ms is %s', (milliseconds, expected) => {
    expect(formatDuration(milliseconds)).toBe(expected);
  });
});
