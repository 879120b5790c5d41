import { parseDuration } from '../../engine/duration.ts';
import type { ReadContext, ReadStepType } from '../../engine/step-type.ts';
import { StepError } from '../../engine/step-type.ts';
import type { KubectlLogsOutputs, KubectlLogsWith } from '../../generated/types.ts';
import type { KubernetesObject } from '../../services/kubernetes.ts';
import { call } from './errors.ts';
import { logLines } from './log-lines.ts';
import { lineFilter, regexProblem } from './log-match.ts';
import { containerOf, eitherProblem, podsFor } from './pod-list.ts';
import { access, objectPath, reads, targetProblems } from './target.ts';

const most = 2000;

type PodLog = KubectlLogsOutputs['pods'][number];

export const logs: ReadStepType<KubectlLogsWith, KubectlLogsOutputs> = {
  type: 'kubectl.logs',
  effect: 'read',
  timeout: 5 * 60_000,
  describe: (input) =>
    `read the log of ${input.pod ?? input.selector} in ${input.namespace}${input.match === undefined ? '' : `, lines with ${JSON.stringify(input.match)}`}`,
  resources: (input) => reads(objectPath(input.namespace, 'pods', input.pod)),
  access: ({ namespace, pod }) => [
    ...access([pod === undefined ? 'list' : 'get'], 'pods', { namespace, name: pod }),
    ...access(['get'], 'pods', { namespace, name: pod, subresource: 'log' }),
    ...access(['get'], 'namespaces', { name: namespace }),
  ],
  check: (input) => [
    ...targetProblems(input),
    ...eitherProblem(input, ['pod', 'selector']),
    ...matchProblems(input),
  ],

  async run(input, ctx) {
    const found = await podsFor(ctx, input);
    const keep = lineFilter(input.match, input.regex === true);
    const stop = new AbortController();
    const signal = AbortSignal.any([ctx.signal, stop.signal]);
    if (input.follow !== undefined) {
      const over = ctx.services.clock.sleep(milliseconds('follow', input.follow), signal);
      void over.then(() => stop.abort());
    }
    try {
      const read = found.map((pod) => readPod(ctx, input, { pod, keep, signal }));
      const pods = await Promise.all(read);
      return {
        pods,
        lines: pods.reduce((sum, pod) => sum + pod.count, 0),
        podsWithLines: pods.filter((pod) => pod.count > 0).length,
      };
    } finally {
      stop.abort();
    }
  },
};

function matchProblems(input: KubectlLogsWith) {
  const problem = input.regex === true && input.match !== undefined ? regexProblem(input.match) : undefined;
  return problem === undefined
    ? []
    : [{ path: ['match'], message: `The expression is refused: ${problem}.` }];
}

async function readPod(
  ctx: ReadContext,
  input: KubectlLogsWith,
  about: {
    readonly pod: KubernetesObject;
    readonly signal: AbortSignal;
    keep(line: string): boolean;
  },
): Promise<PodLog> {
  const { name } = about.pod.metadata;
  const container = containerOf(about.pod, input.container);
  const lines: string[] = [];
  let count = 0;
  const source = { namespace: input.namespace, pod: name, container };
  await call({ verb: 'read', what: `the log of pod ${input.namespace}/${name}` }, async () => {
    for await (const line of logLines(ctx, source, queryOf(input), about.signal)) {
      if (!about.keep(line)) continue;
      count++;
      // The newest lines say most.
      lines.push(line);
      if (lines.length > most) lines.shift();
      ctx.progress({ text: `${count} lines of ${name}`, line });
      if (input.follow !== undefined && input.match !== undefined) break;
    }
  });
  return { pod: name, container, lines, count, truncated: count > lines.length };
}

function queryOf(input: KubectlLogsWith) {
  return {
    tail: input.tail ?? 100,
    previous: input.previous,
    follow: input.follow !== undefined,
    sinceSeconds:
      input.since === undefined
        ? undefined
        : Math.max(1, Math.ceil(milliseconds('since', input.since) / 1000)),
  };
}

function milliseconds(field: string, text: string): number {
  const ms = parseDuration(text);
  if (ms !== undefined) return ms;
  throw new StepError('invalid-input', `${field}: '${text}' is not a duration such as 90s or 1h.`, {
    outcome: 'not-applied',
  });
}
