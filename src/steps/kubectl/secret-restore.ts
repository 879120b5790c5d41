import type { Before, ChangeStepType, Observation, ReadContext } from '../../engine/step-type.ts';
import { StepError } from '../../engine/step-type.ts';
import type { KubectlSecretRestoreOutputs, KubectlSecretRestoreWith } from '../../generated/types.ts';
import { localFile, readWhole } from '../backup/kept-file.ts';
import { keyProblems, openSealed } from '../backup/sealing.ts';
import { call } from './errors.ts';
import { observed, observeOrUnknown } from './observing.ts';
import {
  differingKeys,
  manifestOf,
  parseSecretCopy,
  protectCopy,
  type SecretCopy,
  secretRef,
} from './secret-copy.ts';
import { access, nameOf, objectPath, requireTarget, targetProblems, writes } from './target.ts';

type Input = KubectlSecretRestoreWith;

interface State {
  /** It was there before, with the same values. */
  readonly found: boolean;
}

const largest = 4 * 1024 * 1024;

export const secretRestore: ChangeStepType<KubectlSecretRestoreWith, KubectlSecretRestoreOutputs> = {
  type: 'kubectl.secret-restore',
  effect: 'change',
  timeout: 60_000,
  describe: (input) => `make ${secretName(input)} again from ${input.file} where it is missing`,
  resources: ({ namespace, name, file }) => [
    ...writes(objectPath(namespace, 'secrets', name)),
    { path: localFile(file), mode: 'read' },
  ],
  access: ({ namespace, name }) => access(['get', 'create', 'delete'], 'secrets', { namespace, name }),
  check: (input) => [...targetProblems(input), ...keyProblems(input)],

  async predict(input, ctx) {
    const { copy, found, notes } = await prepared(input, ctx);
    const keys = Object.keys(copy.data).sort();
    return {
      predictable: true,
      changes: !found,
      diff: found ? [] : [{ path: secretName(input), after: `made with ${keys.join(', ')}` }],
      outputs: { created: !found, keys },
      notes,
      duration: { min: 0, max: 5_000 },
    };
  },

  async capture(input, ctx) {
    const { found } = await prepared(input, ctx);
    return { state: { found }, witnesses: [] };
  },

  async run(input, ctx) {
    const { copy, found } = await prepared(input, ctx);
    if (!found)
      await call({ verb: 'create', what: secretName(input) }, () =>
        ctx.services.kubernetes.create(manifestOf(copy)),
      );
    return { created: !found, keys: Object.keys(copy.data).sort() };
  },

  observe: (input, before, ctx) =>
    observeOrUnknown(async (): Promise<Observation> => {
      const copy = await open(input, ctx);
      const object = await observed(ctx, secretRef(input));
      if (object === undefined) return { state: 'not-applied', evidence: `${secretName(input)} is missing` };
      const differing = differingKeys(object, copy);
      if (differing.length > 0)
        return {
          state: 'conflict',
          evidence: `${secretName(input)} is there with other values: ${differing.join(', ')}`,
        };
      return {
        state: 'applied',
        evidence: `${secretName(input)} has the values of the backup`,
        outputs: { created: !stateOf(before).found, keys: Object.keys(copy.data).sort() },
      };
    }),

  undo: { irreversible: 'A Secret that came back is kept: it holds what it held before.' },
};

function stateOf(before: Before): State {
  return before.state as unknown as State;
}

function secretName({ namespace, name }: Input): string {
  return nameOf({ kind: 'Secret', namespace, name });
}

async function prepared(input: Input, ctx: ReadContext) {
  const copy = await open(input, ctx);
  const object = await observed(ctx, secretRef(input));
  const differing = object === undefined ? [] : differingKeys(object, copy);
  if (differing.length > 0)
    throw new StepError(
      'secret-differs',
      `${secretName(input)} is there, and differs from ${input.file}: ${differing.join(', ')}.`,
      {
        outcome: 'not-applied',
        hint: 'A Secret that is there is never overwritten: find out which of the two is right. Move it away by hand when it is the one in the cluster that is wrong.',
      },
    );
  const { uid } = await ctx.services.kubernetes.identity();
  const notes = copy.cluster === uid ? [] : ['the backup is of another cluster'];
  return { copy, found: object !== undefined, notes };
}

async function open(input: Input, ctx: ReadContext): Promise<SecretCopy> {
  requireTarget(input);
  const bytes = await readWhole(ctx, input.file, largest);
  const parsed = parseSecretCopy(await openSealed(input.file, bytes, input));
  if (!parsed.ok) throw wrong(input, parsed.problem);
  const { copy } = parsed;
  protectCopy(ctx, copy);
  if (copy.namespace !== input.namespace || copy.name !== input.name)
    throw wrong(input, `It is of Secret ${copy.namespace}/${copy.name}.`);
  return copy;
}

function wrong({ file }: Input, problem: string): StepError {
  return new StepError('backup-unreadable', `${file} cannot be restored: ${problem}`, {
    outcome: 'not-applied',
    hint: 'Check that it is the right file.',
  });
}
