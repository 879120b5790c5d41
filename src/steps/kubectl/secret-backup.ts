import type { ChangeStepType, ReadContext } from '../../engine/step-type.ts';
import type { KubectlSecretBackupOutputs, KubectlSecretBackupWith } from '../../generated/types.ts';
import { createKept, type FileMark, localFile, observeKept, requireNoFile } from '../backup/kept-file.ts';
import { requireRecipients, seal } from '../backup/sealing.ts';
import { mustGet } from './errors.ts';
import { copyOf, type SecretCopy, secretContent, secretRef } from './secret-copy.ts';
import { access, nameOf, objectPath, reads, requireTarget, targetProblems } from './target.ts';

type Input = KubectlSecretBackupWith;

export const secretBackup: ChangeStepType<KubectlSecretBackupWith, KubectlSecretBackupOutputs> = {
  type: 'kubectl.secret-backup',
  effect: 'change',
  timeout: 60_000,
  describe: (input) => `write ${nameOf({ kind: 'Secret', ...input })} to ${input.file}, encrypted`,
  resources: ({ namespace, name, file }) => [
    ...reads(objectPath(namespace, 'secrets', name)),
    { path: localFile(file), mode: 'write' },
  ],
  access: ({ namespace, name }) => access(['get'], 'secrets', { namespace, name }),
  check: targetProblems,

  async predict(input, ctx) {
    const copy = await prepared(input, ctx);
    const count = input.recipients.length;
    return {
      predictable: true,
      changes: true,
      diff: [
        {
          path: input.file,
          after: `${Object.keys(copy.data).join(', ')}, encrypted to ${count} ${count === 1 ? 'recipient' : 'recipients'}`,
        },
      ],
      outputs: { file: input.file, ...aboutOf(copy) },
      duration: { min: 0, max: 5_000 },
    };
  },

  async capture(input, ctx) {
    await prepared(input, ctx);
    return { state: null, witnesses: [] };
  },

  async run(input, ctx) {
    const copy = await read(input, ctx);
    const about = aboutOf(copy);
    const content = await seal(input, secretContent(copy));
    return outputsOf(input, await createKept(ctx, input.file, content, about), about);
  },

  observe: (input, _before, ctx) =>
    observeKept(ctx, input.file, (mark, about) =>
      outputsOf(input, mark, about as unknown as ReturnType<typeof aboutOf>),
    ),

  undo: { irreversible: 'A backup is kept.' },
};

async function prepared(input: Input, ctx: ReadContext): Promise<SecretCopy> {
  await requireRecipients(input);
  await requireNoFile(ctx, input.file);
  return await read(input, ctx);
}

async function read(input: Input, ctx: ReadContext): Promise<SecretCopy> {
  requireTarget(input);
  const object = await mustGet(ctx.services.kubernetes, secretRef(input));
  const { uid } = await ctx.services.kubernetes.identity();
  return copyOf(ctx, uid, object);
}

function aboutOf({ namespace, name, data }: SecretCopy) {
  return { namespace, name, keys: Object.keys(data).sort() };
}

function outputsOf(
  { file }: Input,
  mark: FileMark,
  about: ReturnType<typeof aboutOf>,
): KubectlSecretBackupOutputs {
  return { file, ...mark, ...about };
}
