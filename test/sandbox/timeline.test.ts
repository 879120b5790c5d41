import { describe, expect, test } from 'vitest';
import { Timeline } from '../../src/sandbox/timeline.ts';

describe('the timeline', () => {
  test('runs what is due in the order of time, then of scheduling, each at its own time', () => {
    const timeline = new Timeline(1000);
    const seen: string[] = [];
    const note = (name: string) => () => seen.push(`${name}@${timeline.now}`);
    timeline.schedule(30, note('late'));
    timeline.schedule(10, note('first'));
    timeline.schedule(10, note('second'));
    timeline.schedule(50, note('never'));
    timeline.advance(1040);
    expect(seen).toEqual(['first@1010', 'second@1010', 'late@1030']);
    expect(timeline.now).toBe(1040);
    expect(timeline.next()).toBe(1050);
  });

  test('what is scheduled while time moves happens in the same move', () => {
    const timeline = new Timeline(0);
    const seen: number[] = [];
    const again = (): void => {
      seen.push(timeline.now);
      if (seen.length < 4) timeline.schedule(5, again);
    };
    timeline.schedule(5, again);
    timeline.advance(100);
    expect(seen).toEqual([5, 10, 15, 20]);
  });

  test('of two entries with one key the earlier stands, and a done key is free again', () => {
    const timeline = new Timeline(0);
    const seen: string[] = [];
    timeline.schedule(20, () => seen.push('late'), 'key');
    timeline.schedule(10, () => seen.push('early'), 'key');
    timeline.schedule(15, () => seen.push('dropped'), 'key');
    timeline.advance(30);
    timeline.schedule(5, () => seen.push('again'), 'key');
    timeline.advance(40);
    expect(seen).toEqual(['early', 'again']);
  });

  test('keeps the order of many entries', () => {
    const timeline = new Timeline(0);
    const seen: number[] = [];
    const delays = Array.from({ length: 500 }, (_, index) => ((index * 7919) % 997) + 1);
    for (const delay of delays) timeline.schedule(delay, () => seen.push(delay));
    timeline.advance(1000);
    expect(seen).toEqual([...delays].sort((a, b) => a - b));
  });

  test('nothing happens at the moment it is scheduled', () => {
    const timeline = new Timeline(0);
    let ran = false;
    timeline.schedule(0, () => {
      ran = true;
    });
    timeline.advance(0);
    expect(ran).toBe(false);
    timeline.advance(1);
    expect(ran).toBe(true);
  });
});
