import { describe, expect, test } from 'vitest';
import type { Forecast, Plan } from '../../src/engine/plan/plan.ts';
import { LiveTree } from '../../src/output/live-tree.ts';
import { badRun, goodRun, recorded } from '../fakes/recorded-run.ts';

function tree(...forecast: readonly Partial<Forecast>[]): LiveTree {
  return new LiveTree({
    forecast: forecast.map((entry) => ({
      depth: 0,
      block: 'steps',
      status: 'change',
      uses: 'note',
      name: entry.id,
      ...entry,
    })),
  } as unknown as Plan);
}

describe('the live view', () => {
  test('shows what the plan knows before anything runs, and follows the events', () => {
    const view = tree({ id: 'healthy' }, { id: 'restart' }, { id: 'undoIt', block: 'rollback' });
    expect(view.items.map(({ id, state }) => [id, state])).toEqual([
      ['healthy', 'waiting'],
      ['restart', 'waiting'],
    ]);
    for (const event of goodRun.slice(0, 10)) view.apply(event);
    expect(view.items.map(({ id, state, note }) => [id, state, note])).toEqual([
      ['healthy', 'done', ''],
      ['restart', 'running', '1 of 1 pods updated'],
    ]);
    expect(view.items.map((item) => view.title(item, 60_000))).toEqual([
      'Every pod is ready (1s)',
      'Restart NVCF API (1m04s)',
    ]);
    expect(view.counts()).toEqual({ done: 1, total: 2 });
  });

  test('nests instances that only the run knows under their group', () => {
    const view = tree({ id: 'all' });
    const event = { type: 'evaluated', node: '', block: 'steps', name: 'x', uses: 'note' } as const;
    for (const each of recorded([
      { ...event, id: 'all[a]', parent: 'all' },
      { ...event, id: 'late', parent: '@steps' },
    ]))
      view.apply(each);
    expect(view.items.map(({ id, parent }) => [id, parent])).toEqual([
      ['all', undefined],
      ['all[a]', 'all'],
      ['late', undefined],
    ]);
  });

  test('keeps a failure with its cause and next step, without terminal escapes', () => {
    const view = tree({ id: 'restart' });
    for (const event of badRun) view.apply(event);
    expect(view.items[0]?.state).toBe('failed');
    expect(view.items[0]?.note).not.toContain('\u001b');
    expect(view.banner).toBe('rolling back: restart failed');
  });

  test('with more steps than lines shows what runs, what failed and what comes next', () => {
    const view = tree(...Array.from({ length: 100 }, (_, index) => ({ id: `s${index}` })));
    const event = {
      type: 'evaluated',
      node: '',
      block: 'steps',
      parent: '@steps',
      name: 'x',
      uses: 'note',
    } as const;
    for (const each of recorded([
      { ...event, id: 's0' },
      { type: 'done', id: 's0', outputs: {}, applied: false },
      { ...event, id: 's1' },
    ]))
      view.apply(each);
    const shown = view.visible(10);
    expect(shown[0]?.id).toBe('s1');
    expect(shown.map(({ id }) => id)).not.toContain('s0');
    expect(shown.length).toBeLessThanOrEqual(10);
  });
});
