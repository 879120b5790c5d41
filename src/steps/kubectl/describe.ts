import type { JsonObject } from '../../engine/json.ts';
import type { ReadContext, ReadStepType } from '../../engine/step-type.ts';
import type { KubectlDescribeOutputs, KubectlDescribeWith } from '../../generated/types.ts';
import type { KubernetesObject } from '../../services/kubernetes.ts';
import { describeText } from './describe-text.ts';
import { readEvents } from './event-list.ts';
import { listAt, textAt } from './fields.ts';
import { masked } from './mask.ts';
import { findObjects, queryAccess, queryName } from './object-list.ts';
import { eitherProblem } from './pod-list.ts';
import { access, objectPath, reads, targetProblems } from './target.ts';

type Described = KubectlDescribeOutputs['objects'][number];

export const describe: ReadStepType<KubectlDescribeWith, KubectlDescribeOutputs> = {
  type: 'kubectl.describe',
  effect: 'read',
  timeout: 60_000,
  describe: (input) => `describe ${queryName(input)}`,
  resources: (input) => reads(objectPath(input.namespace, input.kind, input.name)),
  access: (input) => [...queryAccess(input), ...access(['list'], 'events', { namespace: input.namespace })],
  check: (input) => [...targetProblems(input), ...eitherProblem(input, ['name', 'selector'])],

  async run(input, ctx) {
    const found = await findObjects(ctx, input);
    const objects: Described[] = [];
    for (const object of found) objects.push(await describeOne(ctx, object));
    return { text: objects.map((object) => object.text).join('\n\n'), objects, count: objects.length };
  },
};

async function describeOne(ctx: ReadContext, object: KubernetesObject): Promise<Described> {
  const { name, namespace } = object.metadata;
  const events = await readEvents(ctx, { namespace, kind: object.kind, name });
  const conditions = listAt(object.status, 'conditions').map((item) => ({
    type: textAt(item, 'type'),
    status: textAt(item, 'status'),
    reason: textAt(item, 'reason'),
    message: textAt(item, 'message'),
  }));
  const shown = masked(object as unknown as JsonObject);
  return { name, text: describeText(shown, events), conditions, events };
}
