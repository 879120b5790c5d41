import type { ReadStepType } from '../../engine/step-type.ts';
import { StepError } from '../../engine/step-type.ts';
import type { CassandraStatusOutputs, CassandraStatusWith } from '../../generated/types.ts';
import { ordinalOf, replacementOrder } from '../kubectl/replacement-order.ts';
import {
  askEvery,
  cassandraPods,
  cassandraResources,
  execAccess,
  nodetoolRead,
  targetProblems,
} from './nodes.ts';
import { parseCluster, parseStatus } from './nodetool-output.ts';
import { ringOf, type View } from './ring.ts';

export const status: ReadStepType<CassandraStatusWith, CassandraStatusOutputs> = {
  type: 'cassandra.status',
  effect: 'read',
  timeout: 4 * 60_000,
  describe: (input) => `ask every Cassandra node in ${input.namespace} how it sees the ring`,
  resources: (input) => cassandraResources(input, 'read'),
  access: execAccess,
  check: targetProblems,

  async run(input, ctx) {
    const pods = await cassandraPods(ctx, input);
    const answers = await askEvery(ctx, pods, async (pod, signal): Promise<View> => {
      const ring = parseStatus(await nodetoolRead(ctx, input, { pod, words: ['status'], signal }));
      const cluster = parseCluster(
        await nodetoolRead(ctx, input, { pod, words: ['describecluster'], signal }),
      );
      if (ring !== undefined && cluster !== undefined) return { ring, cluster };
      throw new StepError('nodetool-unreadable', 'nodetool printed no ring that can be read.');
    });
    const ring = ringOf(answers);
    const up = ring.nodes.filter(({ state }) => state === 'UN').length;
    const reachable = answers.filter(({ value }) => value !== undefined).length;
    const whole = ring.nodes.length === pods.length && up === pods.length && reachable === pods.length;
    return {
      name: answers.find(({ value }) => value !== undefined)?.value?.cluster.name ?? '',
      pods: answers.map(({ pod, value, error }) => ({
        name: pod.name,
        ordinal: ordinalOf(pod.name),
        address: pod.address,
        reachable: value !== undefined,
        error,
        hostId: ring.nodes.find(({ address }) => address === pod.address)?.hostId ?? '',
      })),
      nodes: ring.nodes.map((node) => ({ ...node })),
      order: replacementOrder(pods.map(({ name }) => name)),
      count: pods.length,
      reachable,
      up,
      agreed: ring.agreed,
      disagreements: [...ring.disagreements],
      schemaVersions: [...ring.schemaVersions],
      schemaAgreed: ring.schemaAgreed,
      spare: ring.spare,
      quorum: ring.spare >= 0,
      healthy: whole && ring.agreed && ring.schemaAgreed,
      summary: summaryOf({ pods: pods.length, reachable, up, ...ring }),
    };
  },

  findings: ({ pods, nodes, disagreements, schemaVersions, schemaAgreed, spare }) => ({
    details: [
      ...pods.flatMap(({ name, reachable, error }) =>
        reachable ? [] : [`${name} could not be asked: ${error}`],
      ),
      ...nodes.flatMap(({ pod, address, state }) =>
        state === 'UN'
          ? []
          : [`${pod || 'a node without a pod'} (${address}) is ${statesInWords[state] ?? state}`],
      ),
      ...disagreements,
      ...(schemaAgreed
        ? []
        : schemaVersions.length > 1
          ? [`schema versions differ: ${schemaVersions.join(', ')}`]
          : ['not every node was reached for its schema version']),
      ...(spare < 0 ? ['LOCAL_QUORUM is not certain: clients may be refused'] : []),
    ],
    hint: 'Bring that node up first (its log, nodetool status in its pod); a member without a pod has to be removed or replaced.',
  }),
};

const statesInWords: Readonly<Record<string, string>> = {
  DN: 'down (DN)',
  UJ: 'joining (UJ)',
  UL: 'leaving (UL)',
  UM: 'moving (UM)',
  DL: 'down while it leaves (DL)',
  DJ: 'down while it joins (DJ)',
  '?': 'missing in the ring of some node',
};

function summaryOf(given: {
  readonly pods: number;
  readonly reachable: number;
  readonly up: number;
  readonly nodes: readonly unknown[];
  readonly agreed: boolean;
  readonly schemaAgreed: boolean;
  readonly spare: number;
}): string {
  const { pods, reachable, up, nodes } = given;
  const views =
    reachable < pods
      ? `${pods - reachable} of ${pods} pods did not answer`
      : given.agreed
        ? 'all views agree'
        : 'views differ';
  const schema = given.schemaAgreed ? 'one schema' : 'schema not agreed';
  const quorum = given.spare < 0 ? 'LOCAL_QUORUM not certain' : `${given.spare} to spare for LOCAL_QUORUM`;
  return `${up} of ${nodes.length} nodes up, ${views}, ${schema}, ${quorum}`;
}
