import { parseDuration } from '../../engine/duration.ts';
import type { ReadContext, ReadStepType } from '../../engine/step-type.ts';
import { StepError } from '../../engine/step-type.ts';
import type { MetricsCheckOutputs, MetricsCheckWith } from '../../generated/types.ts';
import { answeringPods } from '../kubectl/pod-list.ts';
import { outOfTime } from '../out-of-time.ts';
import { portForwardAccess } from '../pod-access.ts';
import { parseExposition, selectSamples } from './exposition.ts';

type Input = MetricsCheckWith;
type Pod = MetricsCheckOutputs['pods'][number];

/** One read of one pod. */
interface Reading {
  readonly value: number;
  readonly series: number;
  readonly error: string;
}

export const check: ReadStepType<MetricsCheckWith, MetricsCheckOutputs> = {
  type: 'metrics.check',
  effect: 'read',
  timeout: 5 * 60_000,
  describe: (input) =>
    `${input.over === undefined ? input.metric : `rate of ${input.metric} over ${input.over}`} ${input.compare} ${input.threshold} on every pod ${input.selector} in ${input.namespace}`,
  resources: ({ namespace }) => [
    { path: `kubernetes/${namespace.includes('‹') ? '*' : namespace}/pods/*`, mode: 'read' },
  ],
  access: ({ namespace }) => portForwardAccess(namespace),
  check: problems,

  async run(input, ctx) {
    const [problem] = problems(input);
    if (problem !== undefined)
      throw new StepError('invalid-input', problem.message, { outcome: 'not-applied' });
    const names = await answeringPods(ctx, input);
    const first = await readAll(ctx, input, names);
    const pods =
      input.over === undefined ? first : await rates(ctx, input, { names, first, over: input.over });
    const judged = names.map((name, index) => judge(input, name, pods[index]));
    const bad = judged.filter((pod) => !pod.ok);
    if (bad.length > 0 && input.mustPass !== false) throw failure(input, bad, judged.length);
    const values = judged.map((pod) => pod.value);
    return {
      ok: bad.length === 0,
      pods: judged,
      min: Math.min(...values),
      max: Math.max(...values),
      sum: values.reduce((sum, value) => sum + value, 0),
    };
  },
};

function problems(input: Input): readonly { path: readonly string[]; message: string }[] {
  const found: { path: readonly string[]; message: string }[] = [];
  if (!/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/.test(input.namespace))
    found.push({ path: ['namespace'], message: `'${input.namespace}' is not the name of a namespace.` });
  if (input.selector.trim() === '' || input.selector.startsWith('-'))
    found.push({ path: ['selector'], message: `'${input.selector}' is not a label selector.` });
  if (!/^[a-zA-Z_:][a-zA-Z0-9_:]*$/.test(input.metric))
    found.push({ path: ['metric'], message: `'${input.metric}' is not the name of a metric.` });
  if (input.over !== undefined && !((parseDuration(input.over) ?? 0) > 0))
    found.push({ path: ['over'], message: `'${input.over}' is not a duration such as 30s.` });
  return found;
}

async function readAll(
  ctx: ReadContext,
  input: Input,
  names: readonly string[],
): Promise<readonly Reading[]> {
  return await Promise.all(names.map((name) => read(ctx, input, name)));
}

async function read(ctx: ReadContext, input: Input, pod: string): Promise<Reading> {
  const { namespace, port, path = '/metrics' } = input;
  try {
    const request = {
      method: 'GET',
      url: `http://localhost:${port}${path}`,
      through: { namespace, pod, port },
    } as const;
    const { status, body } = await ctx.services.http.request(request, ctx.signal);
    if (status !== 200) return nothing(`status ${status} at ${path}`);
    const samples = selectSamples(parseExposition(body), input.metric, input.labels ?? {});
    const values = samples.map((sample) => sample.value);
    if (values.some((value) => !Number.isFinite(value))) return nothing('its value is infinite');
    if (values.length > 0) return { value: aggregate(input, values), series: values.length, error: '' };
    return input.missing === 'zero' ? { value: 0, series: 0, error: '' } : nothing('it has no such series');
  } catch (error) {
    if (ctx.signal.aborted) throw error;
    return nothing(error instanceof Error ? error.message : 'no answer');
  }
}

function aggregate(input: Input, values: readonly number[]): number {
  if (input.aggregate === 'min') return Math.min(...values);
  if (input.aggregate === 'max') return Math.max(...values);
  return values.reduce((sum, value) => sum + value, 0);
}

async function rates(
  ctx: ReadContext,
  input: Input,
  read: { readonly names: readonly string[]; readonly first: readonly Reading[]; readonly over: string },
): Promise<readonly Reading[]> {
  const began = ctx.services.clock.monotonic();
  ctx.progress({ text: `reading again in ${read.over}` });
  await ctx.services.clock.sleep(parseDuration(read.over) ?? 0, ctx.signal);
  if (ctx.signal.aborted)
    throw outOfTime(ctx, `The time ran out before ${input.metric} could be read a second time.`);
  const second = await readAll(ctx, input, read.names);
  const seconds = Math.max(0.001, (ctx.services.clock.monotonic() - began) / 1000);
  return second.map((now, index): Reading => {
    const before = read.first[index];
    if (before === undefined || before.error !== '') return before ?? nothing('it was not read');
    if (now.error !== '') return now;
    // A counter that went back started anew at zero.
    const grown = now.value < before.value ? now.value : now.value - before.value;
    return { ...now, value: grown / seconds };
  });
}

function judge(input: Input, pod: string, reading: Reading = nothing('it was not read')): Pod {
  const ok = reading.error === '' && holds(input, reading.value);
  return { pod, ok, ...reading };
}

function holds({ compare, threshold }: Input, value: number): boolean {
  switch (compare) {
    case '<':
      return value < threshold;
    case '<=':
      return value <= threshold;
    case '==':
      return value === threshold;
    case '!=':
      return value !== threshold;
    case '>=':
      return value >= threshold;
    case '>':
      return value > threshold;
  }
}

function failure(input: Input, bad: readonly Pod[], count: number): StepError {
  const what = input.over === undefined ? input.metric : `the rate of ${input.metric}`;
  return new StepError(
    'check-failed',
    `${bad.length} of ${count} pods fail: ${what} ${input.compare} ${input.threshold}.`,
    {
      retryable: true,
      details: bad.map((pod) => `${pod.pod}: ${pod.error === '' ? pod.value : pod.error}`),
    },
  );
}

function nothing(error: string): Reading {
  return { value: 0, series: 0, error };
}
