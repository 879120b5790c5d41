import { parseDuration } from '../../engine/duration.ts';
import type { ReadStepType } from '../../engine/step-type.ts';
import { StepError, Suspend } from '../../engine/step-type.ts';
import type { WaitOutputs, WaitWith } from '../../generated/types.ts';

export const wait: ReadStepType<WaitWith, WaitOutputs> = {
  type: 'wait',
  effect: 'read',
  describe: (input) => (input.until === undefined ? `wait for ${input.for}` : `wait until ${input.until}`),
  resources: () => [],
  access: () => [],
  check: problems,
  takes: (input, now) =>
    input.until === undefined
      ? parseDuration(input.for ?? '')
      : Math.max(0, Date.parse(input.until) - now) || undefined,
  async run(input, ctx) {
    const [problem] = problems(input);
    if (problem !== undefined)
      throw new StepError('invalid-input', problem.message, { outcome: 'not-applied' });
    const now = ctx.services.clock.now();
    const until =
      input.until === undefined ? now + (parseDuration(input.for ?? '') ?? 0) : Date.parse(input.until);
    // The engine keeps the moment: asked again after it has come, there is nothing left to wait for.
    if (until > now) throw new Suspend({ until });
    return { until: new Date(until).toISOString() };
  },
};

function problems(input: WaitWith): readonly { path: readonly string[]; message: string; hint?: string }[] {
  if ((input.for === undefined) === (input.until === undefined))
    return [{ path: ['for'], message: 'Give either for or until.' }];
  if (input.for !== undefined && parseDuration(input.for) === undefined)
    return [{ path: ['for'], message: `'${input.for}' is not a duration such as 90s, 1h30m or 2d.` }];
  if (input.until !== undefined && !isMoment(input.until))
    return [
      {
        path: ['until'],
        message: `'${input.until}' is not a moment with a zone.`,
        hint: 'Write it as 2027-01-31T06:00:00Z or 2027-01-31T07:00:00+01:00.',
      },
    ];
  return [];
}

function isMoment(text: string): boolean {
  const form = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,3})?)?(Z|[+-]\d\d:\d\d)$/;
  return form.test(text) && !Number.isNaN(Date.parse(text));
}
