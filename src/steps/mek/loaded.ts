import type { ReadContext, ReadStepType } from '../../engine/step-type.ts';
import type { MekLoadedOutputs, MekLoadedWith } from '../../generated/types.ts';
import { access, objectPath } from '../kubectl/target.ts';
import { portForwardAccess } from '../pod-access.ts';
import type { Consumer, Goal, PodProof } from './consumers.ts';
import { consumerProblems, podsOfConsumer, proofsOf } from './consumers.ts';
import { openDocument } from './document.ts';
import { loadLogs } from './pod-log.ts';
import { documentNeeds, documentResources, groupProblems, listOf, openbaoAccess } from './target.ts';

type Pod = MekLoadedOutputs['pods'][number];

/** What each pod has loaded, as far as it can be proven without touching it. */
export const loaded: ReadStepType<MekLoadedWith, MekLoadedOutputs> = {
  type: 'mek.loaded',
  effect: 'read',
  timeout: 2 * 60_000,
  describe: ({ consumers }) =>
    `look which master keys the pods of ${listOf(consumers)
      .map(({ name }) => name)
      .join(', ')} have loaded`,
  resources: ({ openbao, consumers }) => [
    ...documentResources(openbao, 'read'),
    ...listOf(consumers).map(({ namespace }) => ({
      path: objectPath(namespace, 'pods'),
      mode: 'read' as const,
    })),
  ],
  access: ({ openbao, consumers }) => [
    ...openbaoAccess(openbao, documentNeeds(openbao)),
    ...listOf(consumers).flatMap(({ namespace }) => [
      ...access(['list'], 'pods', { namespace }),
      ...access(['get'], 'pods', { namespace, subresource: 'log' }),
      ...portForwardAccess(namespace),
    ]),
  ],
  check: ({ openbao, consumers }) => [...groupProblems('openbao', openbao), ...consumerProblems(consumers)],

  findings: ({ pods }) => ({
    details: pods
      .filter(({ state }) => state !== 'loaded')
      .map(({ consumer, pod, evidence }) => `${consumer} ${pod}: ${evidence}`),
    hint: 'Bring them to the document with mek-converge.',
  }),

  async run({ openbao, consumers }, ctx) {
    const { version, createdTime, document } = await openDocument(ctx, openbao);
    const goal: Goal = {
      kid: document.currentKid,
      current: true,
      version,
      createdTime,
      kids: document.keys.map(({ kid }) => kid),
      // Which key a pod uses is what is asked here.
      // Of what a pod has loaded at this moment.
      whole: { activates: async () => true, overtaken: async () => 0 },
    };
    const pods: Pod[] = [];
    for (const consumer of consumers) pods.push(...(await podsOf(ctx, consumer, goal)));
    const count = (state: Pod['state']) => pods.filter((pod) => pod.state === state).length;
    const behind = count('behind');
    const unknown = count('unknown');
    return {
      kid: goal.kid,
      version,
      pods,
      loaded: count('loaded'),
      behind,
      unknown,
      summary: `${count('loaded')} of ${pods.length} pods use ${goal.kid}, ${behind} are behind, ${unknown} do not tell`,
    };
  },
};

async function podsOf(ctx: ReadContext, consumer: Consumer, goal: Goal): Promise<readonly Pod[]> {
  const logs = loadLogs(ctx, undefined);
  const proofs = await proofsOf(ctx, consumer, { goal, logs });
  const pods = await podsOfConsumer(ctx, consumer);
  return await Promise.all(
    proofs.map(async ({ consumer: name, pod, state, evidence }) => {
      const found = pods.find(({ metadata }) => metadata.name === pod);
      const says =
        consumer.loads === 'reload' && found !== undefined
          ? await logs.loadedBy(found, consumer.container)
          : undefined;
      return {
        consumer: name,
        pod,
        state: stateOf(consumer, state, says !== undefined && (says.kids ?? says.current) !== undefined),
        current: says?.current ?? '',
        kids: [...(says?.kids ?? [])],
        evidence,
      };
    }),
  );
}

/** A pod is behind only when its log says so; one that loads keys when it starts and never says which cannot be. */
function stateOf({ loads }: Consumer, state: PodProof['state'], says: boolean): Pod['state'] {
  if (state === 'proven') return 'loaded';
  return loads === 'reload' && state === 'stale' && says ? 'behind' : 'unknown';
}
