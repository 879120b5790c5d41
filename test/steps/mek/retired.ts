import type { MekRetireWith } from '../../../src/generated/types.ts';
import { kinds } from '../../../src/services/kubernetes.ts';
import { retire } from '../../../src/steps/mek/retire.ts';
import { rollOut } from '../../fakes/rollout-objects.ts';
import { aged, apiKeys, ess, lines, world } from './consumers-world.ts';
import { at, cassandra, fields, first, keyDetails, openbao, second, wrappedRow } from './rig.ts';

/** The second key is active since version 3, everything is wrapped with it, and everybody has loaded it. */
export function settled() {
  const made = world();
  made.bao.kv.put(at, fields({ [second]: 2, [first]: 1 }, second));
  made.logs.set('ess', lines(second, second, first));
  mark(made, '3 2026-01-05T09:00:03.000Z');
  made.store.rows = [
    wrappedRow({ kid: second, byte: 2 }, { encryptedAt: 1_790_000_000_001 }),
    wrappedRow({ kid: first, byte: 1 }),
  ];
  made.store.columns.set('keys', [keyDetails({ kid: second, byte: 102 })]);
  return made;
}

export type Settled = ReturnType<typeof settled>;

/** What mek.converge leaves on the pods of a service that it restarted. */
export function mark({ cluster }: Pick<Settled, 'cluster'>, value: string): void {
  const ref = { kind: kinds.deployments, namespace: 'api-keys', name: 'keys' };
  const metadata = { labels: { app: 'keys' }, annotations: { 'runbook.io/mek': value } };
  cluster.change(ref, (workload) => {
    workload.spec = { ...workload.spec, template: { metadata, spec: { containers: [{ name: 'main' }] } } };
  });
  rollOut(cluster, cluster.read(ref));
  aged({ cluster }, '2026-01-05T09:00:04Z');
}

export function input(more: object = {}): MekRetireWith {
  return {
    openbao,
    cassandra,
    apiKeys: cassandra,
    consumers: [ess, apiKeys],
    kid: first,
    // The clock stands at 08:00.
    cleanSince: '2027-01-10T06:59:00Z',
    ...more,
  } as unknown as MekRetireWith;
}

export async function captured(made: Settled = settled(), using: MekRetireWith = input()) {
  const before = await retire.capture(using, made.ctx);
  const ctx = { ...made.ctx, before };
  return {
    ...made,
    run: () => retire.run(using, ctx),
    look: () => retire.observe(using, before, ctx),
    undo: async () => {
      if (typeof retire.undo === 'object') throw new Error('no undo');
      await retire.undo(using, before, undefined, ctx);
    },
  };
}
