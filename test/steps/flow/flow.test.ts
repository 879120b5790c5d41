import { describe, expect, test } from 'vitest';
import { Suspend } from '../../../src/engine/step-type.ts';
import { approve } from '../../../src/steps/flow/approve.ts';
import { note } from '../../../src/steps/flow/note.ts';
import { wait } from '../../../src/steps/flow/wait.ts';
import { stepRig } from '../../fakes/step-context.ts';

async function thrown(run: Promise<unknown>): Promise<unknown> {
  return await run.catch((error: unknown) => error);
}

test('approve suspends with its text', async () => {
  const error = await thrown(approve.run({ text: 'Go ahead?' }, stepRig().ctx));
  expect(error).toBeInstanceOf(Suspend);
  expect(error).toMatchObject({ approval: { text: 'Go ahead?' }, until: undefined });
});

test('note shows and returns its text', async () => {
  const { ctx, progress } = stepRig();
  expect(await note.run({ text: 'hello' }, ctx)).toEqual({ text: 'hello' });
  expect(progress).toEqual([{ text: 'hello' }]);
});

describe('wait', () => {
  test('suspends until a moment, however it was said', async () => {
    const { ctx } = stepRig();
    expect(await thrown(wait.run({ for: '48h' }, ctx))).toMatchObject({
      until: Date.parse('2027-01-12T08:00:00Z'),
    });
    expect(await thrown(wait.run({ until: '2027-01-11T00:00:00+01:00' }, ctx))).toMatchObject({
      until: Date.parse('2027-01-10T23:00:00Z'),
    });
  });

  test('tells a plan how long it takes', () => {
    const now = Date.parse('2027-01-10T08:00:00Z');
    expect(wait.takes?.({ for: '61m' }, now)).toBe(61 * 60_000);
    expect(wait.takes?.({ until: '2027-01-10T10:00:00+01:00' }, now)).toBe(3_600_000);
    expect(wait.takes?.({ until: '2027-01-10T07:00:00Z' }, now)).toBeUndefined();
  });

  test('a moment that has come needs no wait', async () => {
    const { ctx } = stepRig();
    expect(await wait.run({ until: '2027-01-10T08:00:00Z' }, ctx)).toEqual({
      until: '2027-01-10T08:00:00.000Z',
    });
  });

  test.each([
    {},
    { for: '1h', until: '2027-01-31T06:00:00Z' },
    { for: '1.5h' },
    { for: '' },
    { until: 'tomorrow' },
    { until: '2027-01-31T06:00:00' },
    { until: '2027-13-31T06:00:00Z' },
  ])('%o is refused', async (input) => {
    expect(wait.check?.(input)).toHaveLength(1);
    await expect(wait.run(input, stepRig().ctx)).rejects.toMatchObject({ code: 'invalid-input' });
  });
});
