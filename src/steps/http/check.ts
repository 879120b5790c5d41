import type { Secret } from '../../engine/secret.ts';
import type { ReadContext, ReadStepType } from '../../engine/step-type.ts';
import { StepError } from '../../engine/step-type.ts';
import type { HttpCheckOutputs, HttpCheckWith } from '../../generated/types.ts';
import type { HttpRequest } from '../../services/http.ts';
import { answeringPods } from '../kubectl/pod-list.ts';
import { portForwardAccess } from '../pod-access.ts';

type Check = HttpCheckOutputs['checks'][number];

const maxBody = 64 * 1024;
const patience = 15_000;

export const check: ReadStepType<HttpCheckWith, HttpCheckOutputs> = {
  type: 'http.check',
  effect: 'read',
  timeout: 60_000,
  describe: (input) =>
    `${input.method ?? 'GET'} ${input.url}${input.through === undefined ? '' : ` of ${input.through.pod ?? input.through.selector} in ${input.through.namespace}`}`,
  // What it says depends on whatever serves it; with pods, on those at least.
  resources: ({ through, url }) =>
    through === undefined
      ? [
          { path: `http/${hostOf(url)}`, mode: 'read' },
          { path: 'kubernetes/*/pods/*', mode: 'read' },
        ]
      : [{ path: `kubernetes/${place(through.namespace)}/pods/*`, mode: 'read' }],
  access: ({ through }) => (through === undefined ? [] : portForwardAccess(through.namespace)),
  check: (input) => [...urlProblems(input.url), ...throughProblems(input.through)],

  async run(input, ctx) {
    const [problem] = [...urlProblems(input.url), ...throughProblems(input.through)];
    if (problem !== undefined)
      throw new StepError('invalid-input', problem.message, { outcome: 'not-applied' });
    const targets = await targetsOf(ctx, input);
    const checks = await Promise.all(targets.map((target) => ask(ctx, input, target)));
    const bad = checks.filter((item) => !item.ok);
    if (bad.length > 0 && input.mustPass !== false)
      throw new StepError(
        'check-failed',
        `${bad.length} of ${checks.length} answers are not as they should be.`,
        {
          retryable: true,
          details: bad.map((item) => `${item.target}: ${item.error}`),
        },
      );
    const [first] = checks;
    return { ok: bad.length === 0, checks, status: first?.status ?? 0, body: first?.body ?? '' };
  },
};

interface Target {
  readonly name: string;
  readonly through?: NonNullable<HttpRequest['through']>;
}

function place(namespace: string): string {
  return namespace.includes('‹') ? '*' : namespace;
}

function hostOf(url: string): string {
  return URL.canParse(url) ? new URL(url).host : '*';
}

function urlProblems(url: string): readonly { path: readonly string[]; message: string; hint?: string }[] {
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol))
    return [{ path: ['url'], message: `'${url}' is not an http or https address.` }];
  const { username, password } = new URL(url);
  if (username === '' && password === '') return [];
  return [
    {
      path: ['url'],
      message: 'The address carries a user name or password, which servers and proxies log.',
      hint: 'Send an Authorization header from a secret input.',
    },
  ];
}

function throughProblems(through: HttpCheckWith['through']) {
  if (through === undefined || (through.pod === undefined) !== (through.selector === undefined)) return [];
  return [{ path: ['through'], message: 'Give either pod or selector.' }];
}

async function targetsOf(ctx: ReadContext, input: HttpCheckWith): Promise<readonly Target[]> {
  const { through, url } = input;
  if (through === undefined) return [{ name: url }];
  const { namespace, selector, pod, port } = through;
  if (selector === undefined)
    return pod === undefined ? [] : [{ name: pod, through: { namespace, pod, port } }];
  const names = await answeringPods(ctx, { namespace, selector, idle: true });
  return names.map((name) => ({ name, through: { namespace, pod: name, port } }));
}

async function ask(ctx: ReadContext, input: HttpCheckWith, target: Target): Promise<Check> {
  const stop = new AbortController();
  const signal = AbortSignal.any([ctx.signal, stop.signal]);
  const headers = input.headers as Readonly<Record<string, string | Secret>> | undefined;
  const request: HttpRequest = {
    method: input.method ?? 'GET',
    url: input.url,
    ...(headers !== undefined && { headers }),
    ...(target.through !== undefined && { through: target.through }),
    ...(input.ca !== undefined && { ca: input.ca }),
  };
  const late = ctx.services.clock
    .sleep(patience, signal)
    .then((): Check => failed(target, `no answer within ${patience / 1000} s`));
  const answer = ctx.services.http.request(request, signal).then(
    ({ status, body }) => judge(input, target, { status, body }),
    (error: unknown) => failed(target, error instanceof Error ? error.message : 'no answer'),
  );
  try {
    return await Promise.race([answer, late]);
  } finally {
    stop.abort();
  }
}

function judge(
  input: HttpCheckWith,
  target: Target,
  answer: { readonly status: number; readonly body: string },
): Check {
  const wanted = input.status ?? [200];
  const body = answer.body.slice(0, maxBody);
  const error = !wanted.includes(answer.status)
    ? `status ${answer.status}, expected ${wanted.join(' or ')}`
    : input.contains !== undefined && !answer.body.includes(input.contains)
      ? `the body does not contain ${JSON.stringify(input.contains)}`
      : '';
  return { target: target.name, ok: error === '', status: answer.status, body, error };
}

function failed(target: Target, error: string): Check {
  return { target: target.name, ok: false, status: 0, body: '', error };
}
