import { formatDuration } from '../../engine/duration.ts';
import type { ReadContext } from '../../engine/step-type.ts';
import { StepError } from '../../engine/step-type.ts';
import type { KubernetesObject } from '../../services/kubernetes.ts';
import { annotation, at, isReady, textAt } from '../kubectl/fields.ts';
import { listMatching } from '../kubectl/pod-list.ts';
import { targetProblems } from '../kubectl/target.ts';
import type { WorkloadInput } from '../kubectl/workload.ts';
import type { Loaded } from './load-lines.ts';
import { metricNames } from './mek-metric.ts';
import type { LoadLogs } from './pod-log.ts';
import { containerStatus } from './pod-log.ts';
import type { Problem } from './target.ts';

/** A service that loads the document, as an author writes it. */
export interface Consumer {
  readonly name: string;
  readonly namespace: string;
  readonly kind: WorkloadInput['kind'];
  readonly resource: string;
  readonly selector: string;
  readonly container: string;
  readonly loads: 'reload' | 'start';
  readonly refresh?: 'wait' | 'restart';
}

/** What every pod must have loaded. */
export interface Goal {
  readonly kid: string;
  /** It must also be the active key. */
  readonly current: boolean;
  /** A version of the document in which that is so. */
  readonly version: number;
  readonly createdTime: string;
  /** Every kid of `keys` in it. */
  readonly kids: readonly string[];
  /**
   * All of it must be loaded: these kids and no others. `activates` tells whether who uses the key has loaded this version for certain;
   * `overtaken`, until when (milliseconds since the epoch) a file of an earlier version, with more keys, may still reach a service.
   */
  readonly whole: false | { activates(): Promise<boolean>; overtaken(): Promise<number> };
}

/** `stale`: it must be refreshed. `pending`: it will be proven, or be gone, by itself. */
export interface PodProof {
  readonly consumer: string;
  readonly pod: string;
  readonly state: 'proven' | 'stale' | 'pending';
  readonly evidence: string;
}

/** On the pods of a restart: the version of the document that was there before it. Causes no clock can be wrong about. */
export const LOADED = 'runbook.io/mek';

// A pod's age is told by the API server, a version's by OpenBao: nothing within this time counts as later. What a container did
// after its pod was made does not count either: its agent reads OpenBao first, and leaves a file that is minutes old.
const clocksDiffer = 5 * 60_000;

export function loadedMark({ version, createdTime }: Pick<Goal, 'version' | 'createdTime'>): string {
  return `${version} ${createdTime}`;
}

export function workloadOf({ kind, namespace, resource }: Consumer): WorkloadInput {
  return { kind, namespace, name: resource };
}

export function restarts({ loads, refresh }: Consumer): boolean {
  return loads === 'start' || refresh === 'restart';
}

/** Every pod that serves or is about to. None at all is an error. */
export async function podsOfConsumer(
  ctx: ReadContext,
  { namespace, selector }: Consumer,
): Promise<readonly KubernetesObject[]> {
  const pods = await listMatching(ctx, { namespace, selector });
  const left = pods.filter((pod) => textAt(pod.status, 'phase') !== 'Failed');
  if (left.length > 0) return left;
  throw new StepError('no-match', `Every pod of '${selector}' in namespace ${namespace} has ended.`, {
    outcome: 'not-applied',
    hint: 'A service without a pod cannot be proven to have loaded a key. Bring it online first.',
  });
}

/** What each pod of a consumer proves now. */
export async function proofsOf(
  ctx: ReadContext,
  consumer: Consumer,
  { goal, logs }: { readonly goal: Goal; readonly logs: LoadLogs },
): Promise<readonly PodProof[]> {
  const pods = await podsOfConsumer(ctx, consumer);
  return await Promise.all(pods.map((pod) => proofOf(ctx, { consumer, pod, goal, logs })));
}

/** The same, but a service that has no pod now is not an error: it is pending as a whole. */
export async function proofsIfAny(
  ctx: ReadContext,
  consumer: Consumer,
  look: { readonly goal: Goal; readonly logs: LoadLogs },
): Promise<readonly PodProof[]> {
  try {
    return await proofsOf(ctx, consumer, look);
  } catch (error) {
    if (!(error instanceof StepError) || error.code !== 'no-match') throw error;
    return [{ consumer: consumer.name, pod: '', state: 'pending', evidence: 'it has no pod now' }];
  }
}

interface About {
  readonly consumer: Consumer;
  readonly pod: KubernetesObject;
  readonly goal: Goal;
  readonly logs: LoadLogs;
}

async function proofOf(ctx: ReadContext, about: About): Promise<PodProof> {
  const { consumer, pod } = about;
  const say = (state: PodProof['state'], evidence: string): PodProof => ({
    consumer: consumer.name,
    pod: pod.metadata.name,
    state,
    evidence,
  });
  if (pod.metadata.deletionTimestamp !== undefined) return say('pending', 'it is ending');
  const proof = consumer.loads === 'start' ? byStart(about) : await byLog(ctx, about);
  if (proof.state !== 'proven' || isReady(pod)) return say(proof.state, proof.evidence);
  return say('pending', 'it is not ready yet');
}

type Verdict = Pick<PodProof, 'state' | 'evidence'>;

function byStart({ pod, goal, consumer }: About): Verdict {
  const [, version, mark] = /^(\d+) (\S+)$/.exec(annotation(pod, LOADED) ?? '') ?? [];
  const needed = Date.parse(goal.createdTime);
  const age = Date.parse(pod.metadata.creationTimestamp ?? '') - needed;
  const evidence =
    mark !== undefined && Date.parse(mark) >= needed
      ? `made by a restart after version ${version} was there`
      : age > clocksDiffer
        ? `made ${formatDuration(age)} after version ${goal.version} was written`
        : undefined;
  if (evidence === undefined)
    return {
      state: 'stale',
      evidence: `it loads keys only when it starts, and may have started before version ${goal.version}`,
    };
  return at(containerStatus(pod, consumer.container), 'state', 'running') === undefined
    ? { state: 'pending', evidence: `its container ${consumer.container} does not run yet` }
    : { state: 'proven', evidence };
}

async function byLog(ctx: ReadContext, about: About): Promise<Verdict> {
  const verdict = await byLogNow(ctx, about);
  const { whole, version } = about.goal;
  if (whole === false || verdict.state !== 'proven') return verdict;
  const until = await whole.overtaken();
  if (ctx.services.clock.now() >= until) return verdict;
  return {
    state: 'pending',
    evidence: `until ${new Date(until).toISOString()} it may still be handed what was there before version ${version}`,
  };
}

async function byLogNow(ctx: ReadContext, { consumer, pod, goal, logs }: About): Promise<Verdict> {
  const loaded = await logs.loadedBy(pod, consumer.container);
  if (loaded === undefined)
    return { state: 'pending', evidence: `its container ${consumer.container} does not run yet` };
  if (loaded.failure !== undefined)
    return { state: 'stale', evidence: `its last reload failed: ${loaded.failure}` };
  if (loaded.kids === undefined && loaded.current === undefined) {
    if (
      goal.current &&
      (await metricNames(ctx, pod, goal)) &&
      (!goal.whole || (await goal.whole.activates()))
    )
      return { state: 'proven', evidence: `its metric rotation_mek_delta names ${goal.kid}` };
    return { state: 'stale', evidence: 'its log says nothing about keys since this one was made' };
  }
  return judge(loaded, goal);
}

function judge({ current, kids }: Loaded, goal: Goal): Verdict {
  const loaded = kids?.includes(goal.kid) === true || current === goal.kid;
  if (!loaded)
    return { state: 'stale', evidence: `it has loaded ${kids?.join(', ') ?? current}, as its log says` };
  const other = goal.whole === false || kids === undefined ? undefined : difference(kids, goal);
  if (other !== undefined) return { state: 'stale', evidence: `it has loaded ${other}, as its log says` };
  if (!goal.current) return { state: 'proven', evidence: `it has loaded ${goal.kid}, as its log says` };
  return current === goal.kid
    ? { state: 'proven', evidence: `its current key is ${goal.kid}, as its log says` }
    : { state: 'stale', evidence: `its current key is ${current ?? 'not known'}, as its log says` };
}

function difference(kids: readonly string[], goal: Goal): string | undefined {
  const lacks = goal.kids.filter((kid) => !kids.includes(kid));
  if (lacks.length > 0) return `${kids.join(', ')}, but not ${lacks.join(', ')} of version ${goal.version}`;
  const more = kids.filter((kid) => !goal.kids.includes(kid));
  return more.length === 0
    ? undefined
    : `still ${more.join(', ')}, which version ${goal.version} does not have`;
}

/** For `check`: what is wrong with the list that an author wrote. */
export function consumerProblems(consumers: readonly Consumer[]): readonly Problem[] {
  return consumers.flatMap((consumer, index) => {
    const { namespace, kind, resource: name, selector, loads, refresh } = consumer;
    const place = (path: readonly string[]) => ['consumers', String(index), ...path];
    const found: Problem[] = targetProblems({ namespace, kind, name, selector }).map((problem) => ({
      ...problem,
      path: place(problem.path.map((field) => (field === 'name' ? 'resource' : field))),
    }));
    if (loads === 'start' && refresh === 'wait')
      found.push({
        path: place(['refresh']),
        message: `${consumer.name} loads keys only when it starts: waiting does not refresh it.`,
        hint: 'Leave refresh out: it is restarted.',
      });
    return found;
  });
}
