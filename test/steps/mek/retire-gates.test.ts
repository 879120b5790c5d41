import { describe, expect, test } from 'vitest';
import { kinds } from '../../../src/services/kubernetes.ts';
import { retire } from '../../../src/steps/mek/retire.ts';
import { lines, podNames } from './consumers-world.ts';
import { captured, input, mark, type Settled, settled } from './retired.ts';
import { first, keyDetails, second, storedKids, wrappedRow } from './rig.ts';

interface Shut {
  readonly why: string;
  /** What the operator reads. */
  readonly said: string;
  arrange?(made: Settled): void;
  readonly more?: object;
}

const shut: readonly Shut[] = [
  {
    why: 'a namespace key is wrapped with it',
    said: 'namespace keys: 1 namespace keys',
    arrange: ({ store }) => {
      store.rows = [wrappedRow({ kid: first, byte: 1 })];
    },
  },
  {
    why: 'a re-wrap back to it waits for promotion',
    said: 'namespace keys: 1 namespace keys',
    arrange: ({ store }) => {
      const newer = { encryptedAt: 1_790_000_000_005, status: 'PENDING_REENCRYPTION' };
      store.rows = [wrappedRow({ kid: first, byte: 1 }, newer), ...store.rows];
    },
  },
  {
    why: 'a row above the selected one is damaged',
    said: 'namespace keys: the census is not clean',
    arrange: ({ store }) => {
      const newer = { encryptedAt: 1_790_000_000_009 };
      store.rows = [wrappedRow({ kid: second, byte: 9 }, newer), ...store.rows];
    },
  },
  {
    why: 'a row of API Keys names it',
    said: 'rows of API Keys: 1 rows',
    arrange: ({ store }) =>
      void store.columns.set('keys_by_owner_and_service', [keyDetails({ kid: first, byte: 101 })]),
  },
  {
    why: 'a row of API Keys names no key',
    said: 'rows of API Keys: 1 rows do not say',
    arrange: ({ store }) => void store.columns.set('keys', ['plain']),
  },
  {
    why: 'a pod of ESS still has it as its current key',
    said: 'ess-api uses another key: ess-',
    arrange: (made) => void made.logs.set(podNames(made, 'ess')[0] ?? '', lines(first, second, first)),
  },
  {
    why: 'a service that loads at start was not restarted since',
    said: 'api-keys uses another key: keys-',
    arrange: (made) => mark(made, '2 2026-01-05T09:00:02.000Z'),
  },
  {
    why: 'a pod that issued tokens ended less than three hours ago',
    said: 'it may pass at 2027-01-10T09:02:00.000Z',
    arrange: (made) => {
      const name = podNames(made, 'keys')[0] ?? '';
      made.cluster.change({ kind: kinds.pods, namespace: 'api-keys', name }, (pod) => {
        pod.metadata = { ...pod.metadata, creationTimestamp: '2027-01-10T06:00:00Z' };
      });
    },
  },
  {
    why: 'the earlier census is too fresh',
    said: 'it may pass at 2027-01-10T08:30:00.000Z',
    more: { cleanSince: '2027-01-10T07:30:00Z' },
  },
  {
    why: 'the earlier census was before the other key was active',
    said: 'lies before the key stopped being active',
    more: { cleanSince: '2026-01-05T09:00:02Z' },
  },
  {
    why: 'a longer time apart is asked for',
    said: 'it may pass at 2027-01-10T10:59:00.000Z',
    more: { apart: '4h' },
  },
];

describe('mek.retire is refused', () => {
  test.each(shut)('while $why', async ({ said, arrange, more }) => {
    const made = settled();
    arrange?.(made);
    const { run, look } = await captured(made, input(more));
    const failed = await run().catch((error: unknown) => error);
    expect(failed).toMatchObject({ code: 'retire-refused', outcome: 'not-applied' });
    expect((failed as { readonly details: readonly string[] }).details.join('\n')).toContain(said);
    expect(storedKids(made.bao)).toEqual([second, first]);
    expect(await look()).toMatchObject({ state: 'not-applied' });
    const prediction = await retire.predict(input(more), made.ctx);
    expect(prediction.notes?.[0]).toMatch(/^it would be refused now: /);
  });

  test('with every gate that does not hold named at once', async () => {
    const made = settled();
    made.store.columns.set('keys', [keyDetails({ kid: first, byte: 101 })]);
    mark(made, '1 2026-01-05T09:00:01.000Z');
    const { run } = await captured(made);
    await expect(run()).rejects.toMatchObject({
      details: [expect.stringContaining('rows of API Keys'), expect.stringContaining('api-keys uses')],
    });
  });
});
