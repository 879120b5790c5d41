import type { ReadContext, ReadStepType } from '../../engine/step-type.ts';
import type { NatsStreamsOutputs, NatsStreamsWith } from '../../generated/types.ts';
import { targetProblems } from '../kubectl/target.ts';
import { type Asked, askEvery, askOne, defaultPort, natsAccess, natsResources } from './servers.ts';
import { assess, behind, namesOf, reread } from './stream-copies.ts';

/** A copy that seems behind is asked for once more after so many milliseconds: messages may just be arriving. */
const again = 500;

export const streams: ReadStepType<NatsStreamsWith, NatsStreamsOutputs> = {
  type: 'nats.streams',
  effect: 'read',
  timeout: 60_000,
  describe: (input) =>
    `ask every NATS server in ${input.namespace} for ${input.expect === undefined ? 'its streams' : `the streams ${input.expect.join(', ')}`}`,
  resources: natsResources,
  access: natsAccess,
  check: targetProblems,

  async run(input, ctx) {
    const first = await askEvery(ctx, input);
    const asked = await settled(ctx, input, first);
    const known = asked.every(({ server }) => server !== undefined);
    const found = namesOf(asked).map((at) => assess(at, { asked, first }));
    const expected = input.expect ?? [];
    const absent = expected.filter((name) => !found.some((stream) => stream.name === name));
    const complete = found.filter(({ name }) => input.expect === undefined || input.expect.includes(name));
    return {
      streams: found,
      count: found.length,
      known,
      missing: known ? absent : [],
      unknown: known ? [] : absent,
      silent: asked.filter(({ server }) => server === undefined).map(({ pod, error }) => `${pod}: ${error}`),
      complete: known && absent.length === 0 && complete.every((stream) => stream.complete),
      messages: found.reduce((sum, { messages }) => sum + messages, 0),
      summary: summaryOf({ complete, absent, known, count: asked.length }),
    };
  },

  findings: ({ streams: found, missing, unknown, silent }) => ({
    details: [
      ...missing.map((name) => `stream ${name} does not exist`),
      ...unknown.map((name) => `whether stream ${name} exists is unknown`),
      ...silent.map((text) => `not asked: ${text}`),
      ...found.filter(({ complete }) => !complete).map(({ name, problem }) => `stream ${name}: ${problem}`),
    ],
    ...(missing.length === 0
      ? {}
      : {
          hint: 'Streams in memory are lost with the last copy. The Spot Instance Service makes them when it is allowed to (NATS_RECONNECT_ALLOWED=true) and its version does: restart it (restart-service with service=sis), and look again after three minutes.',
        }),
  }),
};

async function settled(
  ctx: ReadContext,
  { namespace, port = defaultPort }: NatsStreamsWith,
  first: readonly Asked[],
): Promise<readonly Asked[]> {
  const late = behind(first);
  if (late.size === 0) return first;
  await ctx.services.clock.sleep(again, ctx.signal);
  return await Promise.all(
    first.map(async (item) =>
      late.has(item.pod) ? reread(item, await askOne(ctx, { namespace, pod: item.pod, port })) : item,
    ),
  );
}

function summaryOf(seen: {
  readonly complete: NatsStreamsOutputs['streams'];
  readonly absent: readonly string[];
  readonly known: boolean;
  readonly count: number;
}): string {
  const { complete, absent, known, count } = seen;
  const streams = complete.map(
    ({ name, messages, current, replicas }) => `${name} ${messages} messages on ${current} of ${replicas}`,
  );
  const lacking = absent.map((name) => `${name} ${known ? 'missing' : 'unknown'}`);
  return [...streams, ...lacking].join('; ') || `no streams on ${count} servers`;
}
