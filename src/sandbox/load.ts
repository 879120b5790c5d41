import { kinds } from '../services/kubernetes.ts';
import type { TextAnswer } from './consumers/answer.ts';
import { consumersOf } from './consumers/running.ts';
import { serve } from './consumers/serve.ts';
import type { Consumer, ConsumerKind } from './consumers/state.ts';
import { isReady } from './controllers/pods-of.ts';
import { derivedHex, derivedInteger } from './crypto/derive.ts';
import { timeUuid } from './crypto/time-uuid.ts';
import { hasQuorum, ownNodes } from './nek-store/nodes.ts';
import { apiKeysOf, namespacesOf, secretsOf } from './nek-store/tables.ts';
import type { Pod } from './objects.ts';
import type { LoadState, World } from './world.ts';

/** Clients that use the control plane all the time. */
export interface Load {
  /** Virtual milliseconds between two turns. */
  readonly every: number;
}

interface Turn {
  readonly world: World;
  readonly state: LoadState;
  readonly number: number;
}

/** A pod that the Service of that kind would lead to. */
function servingPod({ world, number }: Turn, kind: ConsumerKind): Consumer | undefined {
  const ready = consumersOf(world, kind).filter(({ namespace, pod }) => {
    const found = world.store.get<Pod>(kinds.pods, namespace, pod);
    return found !== undefined && isReady(found);
  });
  return ready[number % Math.max(1, ready.length)];
}

/** The answer; undefined when nobody serves or the service could not ask its store. */
function ask(
  turn: Turn,
  kind: ConsumerKind,
  call: { readonly method: string; readonly path: string; readonly ess?: string; readonly body?: unknown },
): TextAnswer | undefined {
  const { world, state } = turn;
  const pod = servingPod(turn, kind);
  if (pod === undefined || !hasQuorum(world, ownNodes(world))) return undefined;
  const body = call.body === undefined ? '' : JSON.stringify(call.body);
  const answer = serve(world, { ...call, namespace: pod.namespace, pod: pod.pod, body });
  if (answer.status !== 200) {
    const at = new Date(world.timeline.now).toISOString();
    state.refused.push(`${at} ${pod.pod}: ${call.method} ${call.path}: ${answer.status} ${answer.body}`);
  }
  return answer;
}

function chosen<T>({ world, number }: Turn, from: readonly T[], what: string): T | undefined {
  return from[derivedInteger(world.seed, Math.max(1, from.length), 'load', what, number)];
}

function useSecrets(turn: Turn): void {
  const { world, state, number } = turn;
  // A namespace of its own from time to time, so that ESS makes new keys, too.
  const namespace =
    number % 9 === 4 ? `load-${number % 4}` : (chosen(turn, namespacesOf(world), 'namespace') ?? 'nvcf');
  const entity = timeUuid(world.seed, world.epoch, 'load', number % 5);
  const value = derivedHex(world.seed, 32, 'load', 'value', number);
  const path = `/v1/functions/${entity}/load-${number % 3}`;
  const put = ask(turn, 'ess', { method: 'PUT', path, ess: namespace, body: { data: { value } } });
  const known = `${namespace} ${path.slice('/v1/'.length)}`;
  if (put?.status === 200 && !state.secrets.includes(known)) state.secrets.push(known);
  const [from, earlier] = chosen(turn, state.secrets, 'secret')?.split(' ') ?? [];
  if (from !== undefined && earlier !== undefined)
    ask(turn, 'ess', { method: 'GET', path: `/v1/${earlier}`, ess: from });
}

function useApiKeys(turn: Turn): void {
  const owner = `account-${turn.number % 8}`;
  const { state } = turn;
  if (turn.number % 4 === 0) {
    const issued = ask(turn, 'api-keys', { method: 'POST', path: '/v1/keys', body: { owner } });
    if (issued?.status === 200) state.apiKeys.push((JSON.parse(issued.body) as { key: string }).key);
  }
  const key = chosen(turn, state.apiKeys, 'key');
  if (key !== undefined) ask(turn, 'api-keys', { method: 'POST', path: '/v1/keys/validate', body: { key } });
}

function useTokens(turn: Turn): void {
  const { state } = turn;
  const path = state.token === undefined ? '/v1/worker-tokens' : '/v1/worker-tokens/refresh';
  const answer = ask(turn, 'nvcf-api', { method: 'POST', path, body: { token: state.token } });
  if (answer?.status === 200) state.token = (JSON.parse(answer.body) as { token: string }).token;
}

function turnOf(world: World, state: LoadState, load: Load): void {
  const turn = { world, state, number: state.turn++ };
  useSecrets(turn);
  useApiKeys(turn);
  useTokens(turn);
  world.timeline.schedule(load.every, () => turnOf(world, state, load));
}

/** Clients write and read secrets, have API keys issued and checked, and renew worker tokens, as long as the world lasts. */
export function startLoad(world: World, load: Load): void {
  // Made now, in the same order in every replay.
  secretsOf(world);
  apiKeysOf(world);
  const { told } = world.cassandra;
  const state: LoadState = {
    turn: 0,
    secrets: [...told.secrets.keys()],
    apiKeys: [...told.apiKeys],
    refused: [],
    token: undefined,
  };
  world.load = state;
  world.timeline.schedule(load.every, () => turnOf(world, state, load));
}
