import type { ReadContext, Resource } from '../../engine/step-type.ts';
import { StepError } from '../../engine/step-type.ts';
import { KubernetesError, kinds } from '../../services/kubernetes.ts';
import type { OpenBaoNode, OpenBaoPod } from '../../services/openbao.ts';
import { OpenBaoError } from '../../services/openbao.ts';
import { call } from '../kubectl/errors.ts';

// A pod that takes longer to say whether it is sealed is as good as unreachable.
const patience = 10_000;

/** One server pod and what it said. */
export interface Asked {
  readonly pod: OpenBaoPod;
  /** Undefined: it did not answer. */
  readonly node: OpenBaoNode | undefined;
  readonly error: string;
}

export interface BaoTarget {
  readonly namespace: string;
  readonly selector: string;
}

type Problem = { readonly path: readonly string[]; readonly message: string };

export function targetProblems({ namespace, selector }: BaoTarget): readonly Problem[] {
  const problems: Problem[] = [];
  if (!/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/.test(namespace))
    problems.push({ path: ['namespace'], message: `'${namespace}' is not the name of a namespace.` });
  if (selector.trim() === '' || selector.startsWith('-'))
    problems.push({ path: ['selector'], message: `'${selector}' is not a label selector.` });
  return problems;
}

export function baoResources({ namespace }: BaoTarget, mode: Resource['mode']): readonly Resource[] {
  const place = namespace.includes('‹') ? '*' : namespace;
  return [
    { path: `openbao/${place}/*`, mode },
    { path: `kubernetes/${place}/pods/*`, mode: 'read' },
  ];
}

/** Asks every server pod itself: a sealed pod is Ready all the same. None at all is an error. */
export async function askEvery(ctx: ReadContext, target: BaoTarget): Promise<readonly Asked[]> {
  const [problem] = targetProblems(target);
  if (problem !== undefined)
    throw new StepError('invalid-target', problem.message, { outcome: 'not-applied' });
  const pods = await serverPods(ctx, target);
  return await Promise.all(pods.map((pod) => ask(ctx, pod)));
}

export function activeOf(asked: readonly Asked[]): Asked | undefined {
  return asked.find(({ node }) => node?.active === true && !node.sealed);
}

async function serverPods(
  ctx: ReadContext,
  { namespace, selector }: BaoTarget,
): Promise<readonly OpenBaoPod[]> {
  const found = await call({ verb: 'list', what: `the OpenBao pods in ${namespace}` }, () =>
    ctx.services.kubernetes.list(kinds.pods, { namespace, labelSelector: selector }),
  );
  if (found.length === 0)
    throw new StepError('no-match', `No pods match '${selector}' in namespace ${namespace}.`, {
      outcome: 'not-applied',
      hint: 'The server pods carry app.kubernetes.io/name=openbao and component=server.',
    });
  return found
    .filter((pod) => pod.metadata.deletionTimestamp === undefined)
    .map(({ metadata }) => ({ namespace, pod: metadata.name, uid: metadata.uid }))
    .sort((a, b) => (a.pod < b.pod ? -1 : 1));
}

async function ask(ctx: ReadContext, pod: OpenBaoPod): Promise<Asked> {
  const stop = new AbortController();
  const signal = AbortSignal.any([ctx.signal, stop.signal]);
  const late = ctx.services.clock.sleep(patience, signal).then((): Asked => {
    return { pod, node: undefined, error: 'no answer within 10 s' };
  });
  const answer = ctx.services.openbao.node(pod, signal).then(
    (node): Asked => ({ pod, node, error: '' }),
    (error: unknown): Asked => {
      if (error instanceof OpenBaoError || error instanceof KubernetesError)
        return { pod, node: undefined, error: error.message };
      throw error;
    },
  );
  try {
    return await Promise.race([answer, late]);
  } finally {
    stop.abort();
  }
}
