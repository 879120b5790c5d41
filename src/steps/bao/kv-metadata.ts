import type { Before, ChangeStepType, ReadContext, RunContext } from '../../engine/step-type.ts';
import { StepError } from '../../engine/step-type.ts';
import type { BaoKvMetadataOutputs, BaoKvMetadataWith } from '../../generated/types.ts';
import type { KvMetadata, OpenBaoPod } from '../../services/openbao.ts';
import { observeActive, requireActive, tokenOf } from './active.ts';
import {
  kvAccess,
  kvFailure,
  kvName,
  kvProblems,
  kvResources,
  readMetadata,
  requireVersioned,
} from './kv.ts';

interface Settings {
  readonly casRequired: boolean;
  readonly maxVersions: number;
}

interface State extends Settings {
  /** UUID of the mount. */
  readonly mount: string;
}

/** Versions that an engine keeps when neither it nor the secret says otherwise. */
const engineLimit = 10;

export const kvMetadata: ChangeStepType<BaoKvMetadataWith, BaoKvMetadataOutputs> = {
  type: 'bao.kv-metadata',
  effect: 'change',
  timeout: 2 * 60_000,
  describe: (input) => `set ${settingsText(input)} for ${kvName(input)} in OpenBao`,
  resources: (input) => kvResources(input, 'write'),
  access: (input) => kvAccess(input, { metadata: ['patch', 'read'] }),
  check: (input) =>
    input.casRequired === undefined && input.maxVersions === undefined
      ? [
          ...kvProblems(input),
          { path: [], message: 'Give casRequired or maxVersions: there is nothing to set.' },
        ]
      : kvProblems(input),

  async predict(input, ctx) {
    const pod = await requireActive(ctx, input);
    const metadata = await look(ctx, pod, input);
    const wanted = wantedSettings(input, metadata);
    const diff = (['casRequired', 'maxVersions'] as const)
      .filter((name) => metadata[name] !== wanted[name])
      .map((name) => ({ path: name, before: metadata[name], after: wanted[name] }));
    const dropped = droppedBy(wanted, metadata);
    return {
      predictable: true,
      changes: diff.length > 0,
      diff,
      outputs: { ...outputsOf(wanted, metadata) },
      notes: dropped === '' ? [] : [`the next write drops ${dropped} for good`],
      duration: { min: 50, max: 2000 },
    };
  },

  async capture(input, ctx) {
    const pod = await requireActive(ctx, input);
    const { uuid } = await requireVersioned(ctx, pod, input);
    const { casRequired, maxVersions } = await look(ctx, pod, input);
    const settings = settingsText({ casRequired, maxVersions });
    return {
      state: { casRequired, maxVersions, mount: uuid },
      witnesses: [
        {
          resource: `openbao-kv/${input.namespace}/${kvName(input)}/settings`,
          description: `OpenBao secret ${kvName(input)}: ${settings}`,
          digest: `${uuid} ${settings}`,
        },
      ],
    };
  },

  async run(input, ctx) {
    const pod = await requireActive(ctx, input);
    const before = ctx.before === undefined ? await look(ctx, pod, input) : stateOf(ctx.before);
    await configure(ctx, pod, { input, settings: input });
    return outputsOf(wantedSettings(input, before), before);
  },

  observe: (input, before, ctx) =>
    observeActive(ctx, input, async (pod) => {
      const state = stateOf(before);
      const { uuid } = await requireVersioned(ctx, pod, input);
      const now = await readMetadata(ctx, pod, input);
      if (now === undefined || uuid !== state.mount)
        return {
          state: 'conflict',
          evidence: `${kvName(input)} is not the secret any more that was looked at`,
        };
      const wanted = wantedSettings(input, state);
      const evidence = `${kvName(input)} has ${settingsText(pick(input, now))}`;
      if (isSame(pick(input, now), pick(input, wanted)))
        return { state: 'applied', evidence, outputs: { ...outputsOf(wanted, state) } };
      return { state: isSame(pick(input, now), pick(input, state)) ? 'not-applied' : 'conflict', evidence };
    }),

  async undo(input, before, _outputs, ctx) {
    await configure(ctx, await requireActive(ctx, input), { input, settings: pick(input, stateOf(before)) });
  },
};

function stateOf(before: Before): State {
  return before.state as unknown as State;
}

function settingsText({ casRequired, maxVersions }: Partial<Settings>): string {
  return [
    ...(casRequired === undefined ? [] : [`check-and-set ${casRequired ? 'required' : 'optional'}`]),
    ...(maxVersions === undefined
      ? []
      : [`${maxVersions === 0 ? 'the default number of' : maxVersions} versions`]),
  ].join(' and ');
}

/** The settings that the step is about. */
function pick(input: BaoKvMetadataWith, { casRequired, maxVersions }: Settings): Partial<Settings> {
  return {
    ...(input.casRequired === undefined ? {} : { casRequired }),
    ...(input.maxVersions === undefined ? {} : { maxVersions }),
  };
}

function isSame(one: Partial<Settings>, other: Partial<Settings>): boolean {
  return one.casRequired === other.casRequired && one.maxVersions === other.maxVersions;
}

function wantedSettings(input: BaoKvMetadataWith, before: Settings): Settings {
  return {
    casRequired: input.casRequired ?? before.casRequired,
    maxVersions: input.maxVersions ?? before.maxVersions,
  };
}

function outputsOf(now: Settings, before: Settings): BaoKvMetadataOutputs {
  return {
    casRequired: now.casRequired,
    maxVersions: now.maxVersions,
    previousCasRequired: before.casRequired,
    previousMaxVersions: before.maxVersions,
  };
}

async function look(ctx: ReadContext, pod: OpenBaoPod, input: BaoKvMetadataWith): Promise<KvMetadata> {
  await requireVersioned(ctx, pod, input);
  const metadata = await readMetadata(ctx, pod, input);
  if (metadata !== undefined) return metadata;
  throw new StepError('kv-absent', `There is no secret ${kvName(input)} in OpenBao.`, {
    outcome: 'not-applied',
    hint: 'Settings belong to a secret that is there: write it first (bao.kv-put).',
  });
}

/** The versions that go with the next write because fewer are kept than there are; empty for none. */
function droppedBy(wanted: Settings, { versions, maxVersions, currentVersion }: KvMetadata): string {
  if (wanted.maxVersions === maxVersions) return '';
  const limit = wanted.maxVersions === 0 ? engineLimit : wanted.maxVersions;
  const dropped = versions
    .map(({ version }) => version)
    .filter((version) => version <= currentVersion + 1 - limit);
  const [first, last] = [dropped[0], dropped.at(-1)];
  if (first === undefined) return '';
  return first === last ? `version ${first}` : `versions ${first} to ${last}`;
}

async function configure(
  ctx: RunContext,
  pod: OpenBaoPod,
  { input, settings }: { readonly input: BaoKvMetadataWith; readonly settings: Partial<Settings> },
): Promise<void> {
  const { mount, path } = input;
  const { casRequired, maxVersions } = settings;
  const at = {
    mount,
    path,
    ...(casRequired === undefined ? {} : { casRequired }),
    ...(maxVersions === undefined ? {} : { maxVersions }),
  };
  await ctx.services.openbao
    .kvConfigure(pod, at, tokenOf(input.token), ctx.signal)
    .catch((error: unknown) => {
      throw kvFailure(error, {
        target: input,
        doing: `Could not change the settings of ${kvName(input)}`,
        needs: { metadata: ['patch'] },
      });
    });
}
