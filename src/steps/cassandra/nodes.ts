import type { Access, ReadContext, Resource } from '../../engine/step-type.ts';
import { StepError } from '../../engine/step-type.ts';
import type { ExecRequest, ExecResult } from '../../services/kubernetes.ts';
import { KubernetesError, kinds } from '../../services/kubernetes.ts';
import { call } from '../kubectl/errors.ts';
import { nodetoolProblem } from './nodetool-output.ts';

export interface CassandraTarget {
  readonly namespace: string;
  readonly selector: string;
  readonly container?: string | undefined;
}

/** A pod of the database. */
export interface CassandraPod {
  readonly name: string;
  readonly uid: string;
  /** Empty while it has none. */
  readonly address: string;
}

/** What one pod answered; `value` is undefined when it did not, and then `error` says why. */
export interface Answer<Value> {
  readonly pod: CassandraPod;
  readonly value: Value | undefined;
  readonly error: string;
}

// A node that was stopped where it is keeps nodetool for a minute; on a busy machine one that is well needs many seconds.
const usualPatience = 100_000;

type Problem = { readonly path: readonly string[]; readonly message: string };

export function targetProblems({ namespace, selector, container }: CassandraTarget): readonly Problem[] {
  const problems: Problem[] = [];
  if (!/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/.test(namespace))
    problems.push({ path: ['namespace'], message: `'${namespace}' is not the name of a namespace.` });
  if (selector.trim() === '' || selector.startsWith('-'))
    problems.push({ path: ['selector'], message: `'${selector}' is not a label selector.` });
  if (container !== undefined && container.trim() === '')
    problems.push({ path: ['container'], message: 'The container has no name.' });
  return problems;
}

export function cassandraResources(
  { namespace }: CassandraTarget,
  mode: Resource['mode'],
): readonly Resource[] {
  const place = namespace.includes('‹') ? '*' : namespace;
  return [
    { path: `cassandra/${place}/nodes/*`, mode },
    { path: `kubernetes/${place}/pods/*`, mode: 'read' },
  ];
}

/** Finding the pods, and running nodetool in them. */
export function execAccess({ namespace }: CassandraTarget): readonly Access[] {
  const base = { system: 'kubernetes', group: '', namespace } as const;
  return [
    { ...base, verb: 'list', resource: 'pods' },
    { ...base, verb: 'get', resource: 'pods' },
    // Over WebSocket the verb is `get`; from Kubernetes 1.35 on `create` is wanted as well.
    { ...base, verb: 'get', resource: 'pods/exec' },
    { ...base, verb: 'create', resource: 'pods/exec' },
  ];
}

/** The pods of the database, by name. None at all is an error: a ring is never proven by nobody. */
export async function cassandraPods(
  ctx: ReadContext,
  target: CassandraTarget,
): Promise<readonly CassandraPod[]> {
  const [problem] = targetProblems(target);
  if (problem !== undefined)
    throw new StepError('invalid-target', problem.message, { outcome: 'not-applied' });
  const { namespace, selector } = target;
  const found = await call({ verb: 'list', what: `the Cassandra pods in ${namespace}` }, () =>
    ctx.services.kubernetes.list(kinds.pods, { namespace, labelSelector: selector }),
  );
  // The chart's Jobs may carry the labels of the database.
  const pods = found.filter(({ metadata }) => !metadata.ownerReferences?.some(({ kind }) => kind === 'Job'));
  if (pods.length === 0)
    throw new StepError('no-match', `No pods match '${selector}' in namespace ${namespace}.`, {
      outcome: 'not-applied',
      hint: "Cassandra's pods carry app.kubernetes.io/name=cassandra.",
    });
  return pods
    .map(({ metadata, status }) => ({
      name: metadata.name,
      uid: metadata.uid,
      address: String((status as { podIP?: unknown } | undefined)?.podIP ?? ''),
    }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Asks every pod by itself and side by side; one that fails or takes too long has not answered. */
export async function askEvery<Value>(
  ctx: ReadContext,
  pods: readonly CassandraPod[],
  ask: (pod: CassandraPod, signal: AbortSignal) => Promise<Value>,
  patience = usualPatience,
): Promise<readonly Answer<Value>[]> {
  return await Promise.all(
    pods.map(async (pod): Promise<Answer<Value>> => {
      const stop = new AbortController();
      const signal = AbortSignal.any([ctx.signal, stop.signal]);
      const late = ctx.services.clock
        .sleep(patience, signal)
        .then(
          (): Answer<Value> => ({ pod, value: undefined, error: `no answer within ${patience / 1000} s` }),
        );
      const answer = ask(pod, signal).then(
        (value): Answer<Value> => ({ pod, value, error: '' }),
        (error: unknown): Answer<Value> => {
          if (error instanceof StepError || error instanceof KubernetesError)
            return { pod, value: undefined, error: error.message };
          throw error;
        },
      );
      try {
        return await Promise.race([answer, late]);
      } finally {
        stop.abort();
        // Whoever lost the race says what it says to nobody.
        answer.catch(() => undefined);
      }
    }),
  );
}

/** What nodetool prints when it only looks. Rejects with `KubernetesError` or `StepError`. */
export async function nodetoolRead(
  ctx: ReadContext,
  target: CassandraTarget,
  given: { readonly pod: CassandraPod; readonly words: readonly string[]; readonly signal: AbortSignal },
): Promise<string> {
  const request = nodetoolRequest(target, given.pod, given.words);
  return outputOf(given, await ctx.services.kubernetes.execRead(request, given.signal));
}

/** Bound to the pod that was found: never in one that took its place meanwhile. */
export function nodetoolRequest(
  { namespace, container = 'cassandra' }: CassandraTarget,
  pod: CassandraPod,
  words: readonly string[],
): ExecRequest {
  return { namespace, pod: pod.name, uid: pod.uid, container, command: ['nodetool', ...words] };
}

export function outputOf(
  { pod, words }: { readonly pod: CassandraPod; readonly words: readonly string[] },
  { exitCode, stdout, stderr }: ExecResult,
): string {
  if (exitCode === 0) return stdout;
  throw new StepError(
    'nodetool-failed',
    `nodetool ${words[0] ?? ''} ended with ${nodetoolProblem(exitCode, stdout, stderr)}`,
    { hint: `Look at the log of ${pod.name}; a node that still starts cannot be asked.` },
  );
}
