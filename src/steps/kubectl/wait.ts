import type { ReadStepType } from '../../engine/step-type.ts';
import { StepError } from '../../engine/step-type.ts';
import type { KubectlWaitOutputs, KubectlWaitWith } from '../../generated/types.ts';
import type { KubernetesObject } from '../../services/kubernetes.ts';
import { outOfTime } from '../out-of-time.ts';
import { call } from './errors.ts';
import { condition, textAt } from './fields.ts';
import { parseJsonPath, valuesAt } from './json-path.ts';
import { findObjects, kindOf, queryAccess, queryName } from './object-list.ts';
import { eitherProblem } from './pod-list.ts';
import { access, objectPath, reads, targetProblems } from './target.ts';

export const wait: ReadStepType<KubectlWaitWith, KubectlWaitOutputs> = {
  type: 'kubectl.wait',
  effect: 'read',
  timeout: 10 * 60_000,
  describe: (input) => `wait until ${queryName(input)} ${goalText(input)}`,
  resources: (input) => reads(objectPath(input.namespace, input.kind, input.name)),
  access: (input) => [
    ...queryAccess(input),
    ...access(['list', 'watch'], input.kind, { namespace: input.namespace }),
  ],
  check: (input) => [
    ...targetProblems(input),
    ...eitherProblem(input, ['name', 'selector']),
    ...goalProblems(input),
  ],

  async run(input, ctx) {
    const [problem] = goalProblems(input);
    if (problem !== undefined)
      throw new StepError('invalid-input', problem.message, { outcome: 'not-applied' });
    const kind = await kindOf(ctx, input);
    const present = await findObjects(ctx, { ...input, allowMissing: input.deleted === true });
    const awaited = new Set(present.map((object) => object.metadata.uid));
    const { name, selector, namespace } = input;
    const options = {
      ...(namespace !== undefined && { namespace }),
      ...(name !== undefined && { fieldSelector: `metadata.name=${name}` }),
      ...(selector !== undefined && { labelSelector: selector }),
    };
    let lacking = goalText(input);
    const stop = new AbortController();
    const signal = AbortSignal.any([ctx.signal, stop.signal]);
    const follow = ctx.services.kubernetes.follow(kind, options, signal);
    try {
      return await call({ verb: 'watch', what: queryName(input) }, async () => {
        for await (const found of follow) {
          const objects = found.filter((object) => name === undefined || object.metadata.name === name);
          const left = remaining(input, objects, awaited);
          if (left.length === 0 && (input.deleted === true || objects.length > 0))
            return outputsOf(input, objects);
          if (objects.length === 0) throw gone(input);
          lacking = `${left.length} of ${objects.length} not there yet: ${left.slice(0, 3).join(', ')}`;
          ctx.progress({ text: lacking });
        }
        throw outOfTime(ctx, `${queryName(input)}: ${lacking}.`, {
          hint: 'Look at it with kubectl.describe: its conditions and events say what it waits for.',
        });
      });
    } finally {
      stop.abort();
    }
  },
};

function goalText(input: KubectlWaitWith): string {
  if (input.deleted === true) return 'is gone';
  if (input.condition !== undefined) return `has ${input.condition}=${input.status ?? 'True'}`;
  return `has ${input.value === undefined ? 'a value' : `'${input.value}'`} at ${input.jsonpath}`;
}

function goalProblems(input: KubectlWaitWith) {
  const given = [input.condition, input.jsonpath, input.deleted].filter((field) => field !== undefined);
  if (given.length !== 1)
    return [{ path: ['condition'], message: 'Give exactly one of condition, jsonpath and deleted.' }];
  if (input.jsonpath !== undefined && parseJsonPath(input.jsonpath) === undefined)
    return [
      {
        path: ['jsonpath'],
        message: `'${input.jsonpath}' is not a path such as {.status.phase} or {.status.conditions[0].type}.`,
      },
    ];
  return [];
}

/** What is not as awaited, in words. Of `deleted`, only the objects that were there at the start count. */
function remaining(
  input: KubectlWaitWith,
  objects: readonly KubernetesObject[],
  awaited: ReadonlySet<string>,
): readonly string[] {
  if (input.deleted === true)
    return objects
      .filter((object) => awaited.has(object.metadata.uid))
      .map((object) => `${object.metadata.name} still exists`);
  return objects
    .filter((object) => !reached(input, object))
    .map((object) => `${object.metadata.name} has ${seen(input, object) || 'nothing'}`);
}

function reached(input: KubectlWaitWith, object: KubernetesObject): boolean {
  const value = seen(input, object);
  if (input.condition !== undefined) return value === (input.status ?? 'True');
  return input.value === undefined ? value !== '' : value === input.value;
}

function seen(input: KubectlWaitWith, object: KubernetesObject): string {
  if (input.condition !== undefined) return textAt(condition(object, input.condition), 'status');
  return valuesAt(object, parseJsonPath(input.jsonpath ?? '') ?? []).join(' ');
}

function outputsOf(input: KubectlWaitWith, objects: readonly KubernetesObject[]): KubectlWaitOutputs {
  if (input.deleted === true) return { objects: [], count: 0 };
  const shown = objects.map((object) => ({ name: object.metadata.name, value: seen(input, object) }));
  return { objects: shown.sort((a, b) => (a.name < b.name ? -1 : 1)), count: shown.length };
}

function gone(input: KubectlWaitWith): StepError {
  return new StepError('deleted', `${queryName(input)} was deleted while it was awaited.`, {
    hint: 'Find out who deleted it.',
  });
}
