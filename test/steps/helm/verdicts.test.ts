import { describe, expect, test } from 'vitest';
import type { HelmRevision } from '../../../src/services/helm.ts';
import { judgeRollback, judgeUpgrade, type Sight } from '../../../src/steps/helm/release-verdict.ts';
import { originOf, previousOf } from '../../../src/steps/helm/revisions.ts';

const updated = '2027-01-01T00:00:00Z';
const now = Date.parse(updated) + 60_000;
const key = 'rb-1';

function history(...entries: readonly (readonly [string, string])[]): readonly HelmRevision[] {
  return entries.map(([status, description], index) => ({
    revision: index + 1,
    updated,
    status,
    chart: 'web',
    chartVersion: `1.0.${index}`,
    appVersion: '1',
    description,
  }));
}

function sight(revisions: readonly HelmRevision[], more: Partial<Sight> = {}): Sight {
  return { history: revisions, clients: { started: 1, last: 'ended' }, marked: false, now, ...more };
}

const base = { newest: 1, deployed: 1 };
const installed = ['superseded', 'Install complete'] as const;
const still = ['deployed', 'Install complete'] as const;
const alive = { clients: { started: 1, last: 'alive' } } as const;
const elsewhere = { clients: { started: 1, last: 'unknown' } } as const;

describe('an upgrade', () => {
  test.each<[string, readonly HelmRevision[], Partial<Sight>, object]>([
    ['nothing came', history(still), {}, { state: 'not-applied' }],
    [
      'ours is deployed',
      history(installed, ['deployed', 'runbook rb-1']),
      {},
      { state: 'applied', revision: 2 },
    ],
    [
      'ours works',
      history(still, ['pending-upgrade', 'Preparing upgrade']),
      { marked: true, ...alive },
      { state: 'in-progress' },
    ],
    [
      'ours was killed',
      history(still, ['pending-upgrade', 'Preparing upgrade']),
      { marked: true },
      { state: 'in-progress', stuck: true },
    ],
    [
      'ours may work on another machine',
      history(still, ['pending-upgrade', 'x']),
      { marked: true, ...elsewhere },
      { state: 'unknown' },
    ],
    [
      'ours is older than any client lives',
      history(still, ['pending-upgrade', 'x']),
      { marked: true, ...elsewhere, now: now + 2 * 3_600_000 },
      { state: 'in-progress', stuck: true },
    ],
    [
      'ours failed',
      history(still, ['failed', 'Upgrade "web" failed: x']),
      { marked: true },
      { state: 'in-progress', stuck: true },
    ],
    [
      "somebody's is deployed",
      history(installed, ['deployed', 'Upgrade complete']),
      {},
      { state: 'conflict' },
    ],
    ["somebody's works", history(still, ['pending-upgrade', 'Preparing upgrade']), {}, { state: 'conflict' }],
    ["somebody's failed", history(still, ['failed', 'x']), {}, { state: 'conflict' }],
    [
      // The label of ours is inherited by whoever upgrades next.
      "somebody's came after ours",
      history(installed, ['superseded', 'runbook rb-1'], ['pending-upgrade', 'Preparing upgrade']),
      { marked: true },
      { state: 'conflict' },
    ],
    [
      'ours was rolled back',
      history(installed, installed, ['deployed', 'Rollback to 1']),
      {},
      { state: 'not-applied' },
    ],
    [
      'our second try works',
      history(still, ['failed', 'x'], ['pending-upgrade', 'x']),
      { marked: true, clients: { started: 2, last: 'alive' } },
      { state: 'in-progress' },
    ],
    ['it was installed anew', history(), {}, { state: 'conflict' }],
  ])('%s', (_, revisions, more, verdict) => {
    const seen = revisions.length === 0 ? history(still) : revisions;
    const from = revisions.length === 0 ? { newest: 5, deployed: 5 } : base;
    expect(judgeUpgrade(from, key, sight(seen, more))).toMatchObject(verdict);
  });

  test('whose undo is under way, or broke off, is still there', () => {
    const undone = history(installed, ['deployed', 'runbook rb-1'], ['pending-rollback', 'Rollback to 1']);
    const two = (last: 'alive' | 'ended') => ({ clients: { started: 2, last } }) as const;
    expect(judgeUpgrade(base, key, sight(undone, two('alive')))).toMatchObject({ state: 'in-progress' });
    expect(judgeUpgrade(base, key, sight(undone, two('ended')))).toMatchObject({ state: 'applied' });
  });
});

describe('a rollback', () => {
  const two = { newest: 2, deployed: 2, to: 1 };
  const before = [installed, ['deployed', 'runbook rb-0']] as const;
  const later = [installed, ['superseded', 'runbook rb-0']] as const;

  test.each<[string, readonly HelmRevision[], Partial<Sight>, object]>([
    ['nothing came', history(...before), {}, { state: 'not-applied' }],
    ['it is there', history(...later, ['deployed', 'Rollback to 1']), {}, { state: 'applied', revision: 3 }],
    [
      'ours works',
      history(...before, ['pending-rollback', 'Rollback to 1']),
      alive,
      { state: 'in-progress' },
    ],
    [
      'ours was killed',
      history(...before, ['pending-rollback', 'Rollback to 1']),
      {},
      { state: 'in-progress', stuck: true },
    ],
    [
      'ours failed',
      history(...before, ['failed', 'Release "web" failed: x']),
      {},
      { state: 'in-progress', stuck: true },
    ],
    [
      "somebody's works",
      history(...before, ['pending-rollback', 'x']),
      { clients: { started: 0, last: 'none' } },
      { state: 'conflict' },
    ],
    ['somebody upgraded', history(...later, ['deployed', 'Upgrade complete']), {}, { state: 'conflict' }],
    [
      'it was undone',
      history(...later, ['superseded', 'Rollback to 1'], ['deployed', 'Rollback to 2']),
      {},
      { state: 'not-applied' },
    ],
  ])('%s', (_, revisions, more, verdict) => {
    expect(judgeRollback(two, sight(revisions, more))).toMatchObject(verdict);
  });
});

test('a rollback of a rollback leads back to where chart and values came from', () => {
  const revisions = history(
    installed,
    installed,
    ['superseded', 'Rollback to 1'],
    ['deployed', 'Rollback to 3'],
  );
  expect(originOf(revisions, 4)).toBe(1);
  expect(previousOf(revisions)?.revision).toBe(2);
  expect(previousOf(history(still))).toBeUndefined();
  // What failed is nothing to go back to.
  expect(previousOf(history(installed, ['failed', 'x'], ['deployed', 'runbook rb-1']))?.revision).toBe(1);
});
