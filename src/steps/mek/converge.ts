import { parseDuration } from '../../engine/duration.ts';
import { once } from '../../engine/once.ts';
import type { Access, ChangeStepType, Observation, ReadContext, Resource } from '../../engine/step-type.ts';
import { StepError } from '../../engine/step-type.ts';
import type { MekConvergeOutputs, MekConvergeWith } from '../../generated/types.ts';
import { asJson } from '../kubectl/observing.ts';
import { access, objectPath } from '../kubectl/target.ts';
import { changeAccess, workloadWrites } from '../kubectl/workload.ts';
import { portForwardAccess } from '../pod-access.ts';
import { isActive, setsWith } from './changes.ts';
import type { Consumer, Goal, PodProof } from './consumers.ts';
import { consumerProblems, proofsIfAny, restarts, workloadOf } from './consumers.ts';
import type { OpenDocument } from './document.ts';
import { openDocument, openVersion } from './document.ts';
import { connect, requireVersioned } from './openbao.ts';
import { captured, documentWitness, observeDocument, stateOf } from './preparing.ts';
import { logsSince, predictConsumer, refresh, restartedBy, rolloutOf } from './refreshing.ts';
import { documentNeeds, documentResources, groupProblems, listOf, openbaoAccess } from './target.ts';
import { requirePolicy } from './token.ts';
import { moved } from './writing.ts';

interface State {
  readonly version: number;
  readonly createdTime: string;
  readonly mount: string;
}

export const converge: ChangeStepType<MekConvergeWith, MekConvergeOutputs> = {
  type: 'mek.converge',
  effect: 'change',
  timeout: 45 * 60_000,
  describe: ({ kid, current, consumers }) =>
    `prove that every pod of ${listOf(consumers)
      .map(({ name }) => name)
      .join(', ')} has loaded ${kid}${current === true ? ' as the active key' : ''}`,
  resources: ({ openbao, consumers }) => [
    ...documentResources(openbao, 'read'),
    ...listOf(consumers).flatMap(consumerResources),
  ],
  access: ({ openbao, consumers, current }) => [
    ...openbaoAccess(openbao, documentNeeds(openbao)),
    ...listOf(consumers).flatMap((consumer) => consumerAccess(consumer, current === true)),
  ],
  check: ({ openbao, consumers }) => [...groupProblems('openbao', openbao), ...consumerProblems(consumers)],

  async predict(input, ctx) {
    const { open, notes } = await prepared(input, ctx);
    const goal = goalOf(ctx, input, open);
    const logs = logsSince(ctx, goal);
    const forecasts = [];
    for (const consumer of input.consumers)
      forecasts.push(await predictConsumer(ctx, consumer, { goal, logs }));
    return {
      predictable: true,
      changes: forecasts.some(({ changes }) => changes),
      diff: forecasts.flatMap(({ diff }) => diff),
      outputs: { kid: input.kid, version: open.version },
      notes: [...forecasts.flatMap((forecast) => forecast.notes), ...notes],
      duration: {
        min: forecasts.reduce((sum, { duration }) => sum + duration.min, 0),
        max: forecasts.reduce((sum, { duration }) => sum + duration.max, 0),
      },
    };
  },

  async capture(input, ctx) {
    const { open, mount } = await prepared(input, ctx);
    const { version, createdTime } = open;
    const state: State = { version, createdTime, mount };
    return { state: asJson(state), witnesses: [documentWitness(open, mount)] };
  },

  async run(input, ctx) {
    const { version, createdTime } = captured<State>(ctx);
    const open = await openDocument(ctx, input.openbao);
    await requireKey(ctx, input, open, version);
    const goal = { ...goalOf(ctx, input, open), version, createdTime };
    const logs = logsSince(ctx, goal);
    const pods: PodProof[] = [];
    for (const consumer of input.consumers) pods.push(...(await refresh(ctx, consumer, { goal, logs })));
    await requireKey(ctx, input, await openDocument(ctx, input.openbao), version);
    return await outputsOf(ctx, input, { goal, pods });
  },

  observe: (input, before, ctx) =>
    observeDocument(ctx, input.openbao, (open) =>
      judge(ctx, { input, before: stateOf<State>(before), open }),
    ),

  undo: {
    irreversible:
      'Pods that have loaded a key are left as they are; a restart changes nothing that could be put back.',
  },
};

function consumerResources(consumer: Consumer): readonly Resource[] {
  if (restarts(consumer)) return workloadWrites(workloadOf(consumer));
  return [{ path: objectPath(consumer.namespace, 'pods'), mode: 'read' }];
}

function consumerAccess(consumer: Consumer, current: boolean): readonly Access[] {
  const { namespace, loads } = consumer;
  return [
    ...access(['list'], 'pods', { namespace }),
    ...(loads === 'reload' ? access(['get'], 'pods', { namespace, subresource: 'log' }) : []),
    ...(loads === 'reload' && current ? portForwardAccess(namespace) : []),
    ...(restarts(consumer) ? changeAccess(workloadOf(consumer)) : []),
  ];
}

async function prepared(input: MekConvergeWith, ctx: ReadContext) {
  const bao = await connect(ctx, input.openbao);
  const mount = await requireVersioned(ctx, bao, bao.at);
  const notes = await requirePolicy(ctx, bao, documentNeeds(input.openbao));
  const open = await openVersion(ctx, bao);
  await requireKey(ctx, input, open, open.version);
  return { open, mount, notes };
}

/** The key must be in both sets, and the active one where that is to be proven: no pod can load what is not there. */
async function requireKey(
  ctx: ReadContext,
  { kid, current }: MekConvergeWith,
  open: OpenDocument,
  version: number,
): Promise<void> {
  const gone = missing({ kid, current }, open);
  if (gone === undefined) return;
  if (open.version !== version) throw await moved(ctx, open, version);
  throw new StepError(current === true ? 'kid-not-current' : 'kid-missing', `${gone}.`, {
    outcome: 'not-applied',
    hint:
      current === true
        ? 'Activate the key first (mek.activate), or leave current out.'
        : 'Publish the key first (mek.publish).',
  });
}

function missing(
  { kid, current }: { readonly kid: string; readonly current?: boolean | undefined },
  { document, version }: OpenDocument,
): string | undefined {
  if (setsWith(document, kid).length < 2) return `Version ${version} does not have ${kid} in both sets`;
  if (current === true && !isActive(document, kid))
    return `In version ${version} the active key is ${document.currentKid}, not ${kid}`;
  return undefined;
}

/** How long a service takes to load what was written, unless told: by the schedules of the agent and of ESS. */
const usual = 15 * 60_000;

/**
 * Until when a service may still load a file that its agent wrote of an earlier version with keys that this one has no more: it then has
 * loaded this version, and loads the other one afterwards. Milliseconds since the epoch; 0 when that cannot be.
 */
async function overtakenUntil(
  ctx: ReadContext,
  open: OpenDocument,
  { reloadWithin }: MekConvergeWith,
): Promise<number> {
  const kids = new Set(open.document.keys.map((key) => key.kid));
  const within = (reloadWithin === undefined ? undefined : parseDuration(reloadWithin)) ?? usual;
  // Clocks of nodes and of OpenBao may differ a little.
  const lasts = within + Math.min(within, 2 * 60_000);
  const since = ctx.services.clock.now() - lasts;
  for (let later = open; later.version > 1 && Date.parse(later.createdTime) > since; ) {
    const until = Date.parse(later.createdTime) + lasts;
    const earlier = await openVersion(ctx, open.bao, later.version - 1).catch((error: unknown) => {
      if (error instanceof StepError && !ctx.signal.aborted) return undefined;
      throw error;
    });
    if (earlier === undefined || earlier.document.keys.some((key) => !kids.has(key.kid))) return until;
    later = earlier;
  }
  return 0;
}

function goalOf(ctx: ReadContext, input: MekConvergeWith, open: OpenDocument): Goal {
  const { kid, current } = input;
  const { bao, version, createdTime, document } = open;
  return {
    kid,
    current: current === true,
    version,
    createdTime,
    kids: document.keys.map((key) => key.kid),
    whole: {
      activates: () =>
        openVersion(ctx, bao, version - 1).then(
          (before) => !isActive(before.document, kid),
          // What is not known proves nothing.
          () => false,
        ),
      overtaken: once(() => overtakenUntil(ctx, open, input)),
    },
  };
}

async function outputsOf(
  ctx: ReadContext & { readonly operationKey: string },
  input: MekConvergeWith,
  { goal, pods }: { readonly goal: Goal; readonly pods: readonly PodProof[] },
): Promise<MekConvergeOutputs> {
  return {
    kid: goal.kid,
    version: goal.version,
    pods: pods.map(({ consumer, pod, evidence }) => ({ consumer, pod, evidence })),
    restarted: [...(await restartedBy(ctx, input.consumers))],
  };
}

async function judge(
  ctx: ReadContext & { readonly operationKey: string },
  {
    input,
    before,
    open,
  }: { readonly input: MekConvergeWith; readonly before: State; readonly open: OpenDocument },
): Promise<Observation> {
  const gone = missing(input, open);
  if (gone !== undefined) return { state: 'conflict', evidence: gone };
  const { version, createdTime, mount } = before;
  const goal = { ...goalOf(ctx, input, open), version, createdTime };
  const logs = logsSince(ctx, goal);
  const pods: PodProof[] = [];
  for (const consumer of input.consumers) pods.push(...(await proofsIfAny(ctx, consumer, { goal, logs })));
  const unproven = pods.filter(({ state }) => state !== 'proven');
  if (unproven.length === 0)
    return {
      state: 'applied',
      evidence: `${pods.length === 1 ? '1 pod has' : `${pods.length} pods have`} loaded ${goal.kid}`,
      outputs: asJson(await outputsOf(ctx, input, { goal, pods })),
      witnesses: [documentWitness(open, mount)],
    };
  const [{ consumer, pod, evidence } = { consumer: '', pod: '', evidence: '' }] = unproven;
  const where = `${consumer} ${pod}`.trim();
  const said = `${unproven.length} of ${pods.length} pods are not proven; ${where}: ${evidence}`;
  const rollout = await rolloutOf(
    ctx,
    input.consumers.filter(({ name }) => unproven.some((proof) => proof.consumer === name)),
  );
  if (rollout === undefined) {
    const restarted = await restartedBy(ctx, input.consumers);
    return { state: 'not-applied', evidence: said, ...(restarted.length > 0 && { partial: true }) };
  }
  return {
    state: 'in-progress',
    evidence: `${said}; ${rollout.text}`,
    ...(rollout.stuck && { stuck: true }),
  };
}
