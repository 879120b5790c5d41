import { Secret } from '../../engine/secret.ts';
import type { ChangeStepType, Observation, ReadContext, RunContext } from '../../engine/step-type.ts';
import { StepError } from '../../engine/step-type.ts';
import type { KubectlExecOutputs, KubectlExecWith } from '../../generated/types.ts';
import type { ExecRequest, ExecResult, KubernetesObject } from '../../services/kubernetes.ts';
import { verdictOfExit } from '../exit-verdict.ts';
import { call } from './errors.ts';
import { isReady } from './fields.ts';
import { observeOrUnknown } from './observing.ts';
import { containerOf, eitherProblem, podsFor } from './pod-list.ts';
import { access, objectPath, targetProblems } from './target.ts';
import { isObject } from './touched.ts';

type Input = KubectlExecWith;

const most = 1024 * 1024;

interface State {
  readonly pod: string;
  readonly uid: string;
  readonly container: string;
}

export const exec: ChangeStepType<KubectlExecWith, KubectlExecOutputs> = {
  type: 'kubectl.exec',
  effect: 'change',
  effectOf: (input) => (input.effect === 'read' ? 'read' : 'change'),
  timeout: 10 * 60_000,
  describe: (input) =>
    `run ${input.command.join(' ')} in ${input.pod ?? input.selector} of ${input.namespace}`,
  resources: (input) =>
    input.effect === 'read'
      ? [{ path: objectPath(input.namespace, 'pods', input.pod), mode: 'read' }]
      : // Nobody knows what a changing command touches: no later read is trusted in a plan.
        [{ path: '*', mode: 'write' }],
  access: ({ namespace, pod }) => [
    ...access(['get', 'list'], 'pods', { namespace, name: pod }),
    // Over WebSocket the verb is `get`; from Kubernetes 1.35 on `create` is wanted as well.
    ...access(['get', 'create'], 'pods', { namespace, subresource: 'exec' }),
    ...access(['get'], 'namespaces', { name: namespace }),
  ],
  check: (input) => [
    ...targetProblems(input),
    ...eitherProblem(input, ['pod', 'selector']),
    ...(input.effect === 'change' && input.observe === undefined
      ? [
          {
            path: ['effect'],
            message:
              'A command that changes something needs observe: after a crash nobody could tell what it did.',
            hint: 'Add observe with a command that exits 0 when the change is in place and 1 when it is not.',
          },
        ]
      : []),
  ],

  async predict(input, ctx) {
    const target = await choose(ctx, input);
    const seen = await look(input, target, ctx);
    if (seen.state === 'applied')
      return { predictable: true, changes: false, diff: [], notes: [seen.evidence] };
    return {
      predictable: false,
      why: 'a command in a pod cannot say what it would change',
      notes: [seen.evidence],
    };
  },

  async capture(input, ctx) {
    const state = await choose(ctx, input);
    return { state: { ...state }, witnesses: [] };
  },

  async run(input, ctx) {
    const reading = input.effect === 'read';
    const target = targetBefore(ctx) ?? (await choose(ctx, input));
    if (!reading) await ctx.checkpoint({ ...target });
    const { kubernetes } = ctx.services;
    const result = await withStdin(input, requestOf(input, target, input.command), (request) =>
      call({ verb: 'exec in', what: podText(input, target) }, () =>
        reading ? kubernetes.execRead(request, ctx.signal) : kubernetes.exec(request, ctx.signal),
      ),
    );
    requireExit(input.command, result, input.exitCodes ?? [0]);
    return outputsOf(target, result);
  },

  observe: (input, before, ctx) => observeOrUnknown(() => look(input, before.state as unknown as State, ctx)),

  async undo(input, before, _outputs, ctx) {
    const target = before.state as unknown as State;
    if (input.undo === undefined)
      throw new StepError('irreversible', `${input.command.join(' ')} declares no undo.`, {
        outcome: 'not-applied',
        hint: 'Take it back by hand, or give the step a rollback block.',
      });
    const { command, exitCodes } = input.undo;
    const result = await call({ verb: 'exec in', what: podText(input, target) }, () =>
      ctx.services.kubernetes.exec(requestOf(input, target, command), ctx.signal),
    );
    requireExit(command, result, exitCodes ?? [0]);
  },
};

/** The pod that was named, or the first ready one. */
async function choose(ctx: ReadContext, input: Input): Promise<State> {
  const pods = await podsFor(ctx, input);
  const pod: KubernetesObject | undefined = input.pod === undefined ? pods.find(isReady) : pods[0];
  if (pod === undefined)
    throw new StepError('no-ready-pod', `No pod of '${input.selector}' in ${input.namespace} is ready.`, {
      outcome: 'not-applied',
      hint: 'Name a pod with pod to run in one that is not ready.',
    });
  return { pod: pod.metadata.name, uid: pod.metadata.uid, container: containerOf(pod, input.container) };
}

function targetBefore(ctx: RunContext): State | undefined {
  return isObject(ctx.resumed) && typeof ctx.resumed.uid === 'string'
    ? (ctx.resumed as unknown as State)
    : undefined;
}

async function look(input: Input, target: State, ctx: ReadContext): Promise<Observation> {
  const { observe } = input;
  if (observe === undefined) return { state: 'unknown', evidence: 'the step declares no observe' };
  const result = await call({ verb: 'exec in', what: podText(input, target) }, () =>
    ctx.services.kubernetes.execRead(requestOf(input, target, observe.command), ctx.signal),
  );
  const verdict = verdictOfExit(observe.command.join(' '), result.exitCode, observe);
  if (verdict.state !== 'applied') return verdict;
  // What the command itself said is lost; the exit code it would have had is not.
  const exitCode = input.exitCodes?.[0] ?? 0;
  return { ...verdict, outputs: { exitCode, stdout: '', stderr: '', pod: target.pod, truncated: false } };
}

function requestOf(input: Input, target: State, command: readonly string[]): ExecRequest {
  const { namespace } = input;
  return { namespace, pod: target.pod, container: target.container, uid: target.uid, command };
}

async function withStdin<T>(
  input: Input,
  request: ExecRequest,
  use: (request: ExecRequest) => Promise<T>,
): Promise<T> {
  const stdin: unknown = input.stdin;
  if (stdin instanceof Secret) return await stdin.reveal((bytes) => use({ ...request, stdin: bytes }));
  if (typeof stdin === 'string') return await use({ ...request, stdin: new TextEncoder().encode(stdin) });
  return await use(request);
}

function podText(input: Input, target: State): string {
  return `pod ${input.namespace}/${target.pod}`;
}

function requireExit(command: readonly string[], result: ExecResult, expected: readonly number[]): void {
  if (expected.includes(result.exitCode)) return;
  const said = (result.stderr.trim() === '' ? result.stdout : result.stderr).trimEnd().split('\n');
  throw new StepError(
    'exit-code',
    `${command.join(' ')} ended with exit code ${result.exitCode}, expected ${expected.join(' or ')}.`,
    { details: said.filter((line) => line !== '').slice(-10) },
  );
}

function outputsOf(target: State, result: ExecResult): KubectlExecOutputs {
  const { exitCode, stdout, stderr } = result;
  const truncated = stdout.length > most || stderr.length > most;
  return {
    exitCode,
    stdout: stdout.slice(0, most),
    stderr: stderr.slice(0, most),
    pod: target.pod,
    truncated,
  };
}
