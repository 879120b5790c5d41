import { describe, expect, test } from 'vitest';
import { type Loaded, nothingLoaded, withLine } from '../../../src/steps/mek/load-lines.ts';

function logged(...lines: readonly string[]): Loaded {
  return lines.reduce(withLine, nothingLoaded);
}

const kid = '00000001-8000-11f0-8000-010000000001';
const other = '11111111-1111-4111-8111-111111111111';

describe('what a log says about loaded keys', () => {
  test('the newest lines count, whatever stands around them', () => {
    expect(
      logged(
        '2027-01-10 INFO CryptoProperties : reloading master encryption key',
        `2027-01-10 INFO CryptoProperties : Loaded masterKey. Current kid: ${other}`,
        `2027-01-10 INFO CryptoProperties : Loaded 1 allMasterKeys. Kids: [${other}]`,
        'GET /v1/functions 200',
        `{"level":"INFO","message":"Loaded masterKey. Current kid: ${kid}","logger":"x"}`,
        `{"level":"INFO","message":"Loaded 2 allMasterKeys. Kids: [${kid}, ${other}]"}`,
      ),
    ).toEqual({ current: kid, kids: [kid, other], failure: undefined });
  });

  test('a list that was cut short counts for nothing', () => {
    expect(logged(`Loaded 3 allMasterKeys. Kids: [${kid}, ${other}]`).kids).toBeUndefined();
    expect(logged(`Loaded 2 allMasterKeys. Kids: [${kid}, ${other.slice(0, 8)}`).kids).toBeUndefined();
    expect(logged('Loaded 0 allMasterKeys. Kids: []').kids).toEqual([]);
  });

  test('a failed reload is remembered until the next one that works', () => {
    const failed = [`Loaded masterKey. Current kid: ${kid}`, 'x error during properties refresh - bad key'];
    expect(logged(...failed)).toMatchObject({ current: kid, failure: 'bad key' });
    expect(logged(...failed, `Loaded masterKey. Current kid: ${other}`)).toMatchObject({
      current: other,
      failure: undefined,
    });
  });

  test('any other line changes nothing', () => {
    const before = logged(`Loaded masterKey. Current kid: ${kid}`);
    for (const line of ['', 'Loaded masterKey', 'Kids: [a]', 'Current kid: x'])
      expect(withLine(before, line)).toBe(before);
  });
});
