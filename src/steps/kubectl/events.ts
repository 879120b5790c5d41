import { parseDuration } from '../../engine/duration.ts';
import type { ReadStepType } from '../../engine/step-type.ts';
import { StepError } from '../../engine/step-type.ts';
import type { KubectlEventsOutputs, KubectlEventsWith } from '../../generated/types.ts';
import { requireNamespace } from './errors.ts';
import { readEvents } from './event-list.ts';
import { access, objectPath, reads, requireTarget, targetProblems } from './target.ts';

const most = 500;

export const events: ReadStepType<KubectlEventsWith, KubectlEventsOutputs> = {
  type: 'kubectl.events',
  effect: 'read',
  timeout: 60_000,
  describe: (input) =>
    `events ${input.name === undefined ? '' : `of ${input.kind ?? ''} ${input.name} `}in ${input.namespace}`,
  resources: (input) => reads(objectPath(input.namespace, 'events')),
  access: ({ namespace }) => [
    ...access(['list'], 'events', { namespace }),
    ...access(['get'], 'namespaces', { name: namespace }),
  ],
  check: ({ namespace, name }) => targetProblems({ namespace, name }),

  async run(input, ctx) {
    const { namespace, name, since } = input;
    requireTarget({ namespace, name });
    const found = await readEvents(ctx, input);
    if (found.length === 0) await requireNamespace(ctx.services.kubernetes, namespace);
    const from = since === undefined ? 0 : ctx.services.clock.now() - duration(since);
    const recent = found
      .filter((event) => event.lastSeen === '' || Date.parse(event.lastSeen) >= from)
      .slice(-most);
    return {
      events: recent,
      count: recent.length,
      warnings: recent.filter((event) => event.type === 'Warning').length,
    };
  },
};

function duration(text: string): number {
  const ms = parseDuration(text);
  if (ms !== undefined) return ms;
  throw new StepError('invalid-input', `since: '${text}' is not a duration such as 90s or 1h.`, {
    outcome: 'not-applied',
  });
}
