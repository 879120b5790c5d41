import type { ChangeStepType, ReadContext } from '../../engine/step-type.ts';
import { StepError } from '../../engine/step-type.ts';
import type { BackupManifestOutputs, BackupManifestWith } from '../../generated/types.ts';
import {
  createKept,
  type FileMark,
  localFile,
  markOf,
  observeKept,
  readWhole,
  requireNoFile,
} from './kept-file.ts';
import { beside, type ManifestFile, manifestContent, type Part } from './manifest-content.ts';

type Input = BackupManifestWith;

const largest = 4 * 1024 ** 3;

export const manifest: ChangeStepType<BackupManifestWith, BackupManifestOutputs> = {
  type: 'backup.manifest',
  effect: 'change',
  timeout: 10 * 60_000,
  describe: ({ file }) => `list the files of the backup in ${file}`,
  resources: ({ file }) => [{ path: localFile(file), mode: 'write' }],
  access: () => [],

  async predict(input, ctx) {
    await requireNoFile(ctx, input.file);
    return {
      predictable: true,
      changes: true,
      diff: [{ path: input.file, after: '‹a new file›' }],
      outputs: { file: input.file },
      duration: { min: 0, max: 30_000 },
    };
  },

  async capture(input, ctx) {
    await requireNoFile(ctx, input.file);
    return { state: null, witnesses: [] };
  },

  async run(input, ctx) {
    const { mek, namespaceKeys } = input;
    if (mek.version !== namespaceKeys.mekVersion)
      throw inconsistent(
        `the master keys are of version ${mek.version}, and the namespace keys were read with version ${namespaceKeys.mekVersion}`,
      );
    const strange = namespaceKeys.meks.filter((kid) => !mek.kids.includes(kid));
    if (strange.length > 0)
      throw inconsistent(`master keys that wrap namespace keys are not in it: ${strange.join(', ')}`);
    const files: ManifestFile[] = [];
    for (const { part, of, ...rest } of partsOf(input))
      files.push(await checked(ctx, input, { part, of, ...rest }));
    const { uid } = await ctx.services.kubernetes.identity();
    const content = manifestContent({
      cluster: uid,
      run: ctx.runId,
      writtenAt: new Date(ctx.services.clock.now()).toISOString(),
      files,
      mek: { version: mek.version, kids: mek.kids },
      namespaceKeys: {
        rows: namespaceKeys.rows,
        meks: namespaceKeys.meks,
        mekVersion: namespaceKeys.mekVersion,
      },
      cassandra:
        input.cassandra === undefined
          ? null
          : { tag: input.cassandra.tag, nodes: input.cassandra.nodes.map(({ pod }) => pod) },
      releases: input.releases.map(({ namespace, release, revision, chart, chartVersion }) => ({
        namespace,
        release,
        revision,
        chart,
        chartVersion,
      })),
    });
    const mark = await createKept(ctx, input.file, content, { files: files.length });
    return outputsOf(input, mark, files.length);
  },

  observe: (input, _before, ctx) =>
    observeKept(ctx, input.file, (mark, { files }) => outputsOf(input, mark, Number(files))),

  undo: { irreversible: 'A manifest is kept with its backup.' },
};

interface Given extends FileMark {
  readonly part: Part;
  readonly of: string;
  readonly file: string;
}

function partsOf({ openbao, mek, namespaceKeys, secrets, values, releases }: Input): readonly Given[] {
  const one = (part: Part, of: string, { file, sha256, bytes }: Omit<Given, 'part' | 'of'>): Given => ({
    part,
    of,
    file,
    sha256,
    bytes,
  });
  const kept = Object.entries(values);
  const lacking = releases.filter(
    ({ namespace, release }) => values[`${namespace}/${release}`] === undefined,
  );
  if (lacking.length > 0)
    throw inconsistent(
      `no values of ${lacking.map(({ namespace, release }) => `${namespace}/${release}`).join(', ')}`,
    );
  return [
    one('openbao', '', openbao),
    one('masterKeys', '', mek),
    one('namespaceKeys', '', namespaceKeys),
    ...Object.values(secrets).map((secret) => one('secret', `${secret.namespace}/${secret.name}`, secret)),
    ...kept.map(([of, file]) => one('values', of, file)),
  ];
}

/** A file as it lies there now, which must be the one that its step made. */
async function checked(ctx: ReadContext, input: Input, given: Given): Promise<ManifestFile> {
  const { part, of, file, sha256, bytes } = given;
  const name = beside(input.file, file);
  if (name === undefined)
    throw new StepError('backup-scattered', `${file} does not lie beside ${input.file}.`, {
      outcome: 'not-applied',
      hint: 'Write every file of a backup into one folder, so that it can be moved as a whole.',
    });
  const found = markOf(await readWhole(ctx, file, largest));
  if (found.sha256 === sha256 && found.bytes === bytes) return { part, of, file: name, sha256, bytes };
  throw new StepError('backup-changed', `${file} is not what was written to it.`, {
    outcome: 'not-applied',
    hint: 'Somebody or something changed it: do not rely on this backup, and take another.',
  });
}

function inconsistent(why: string): StepError {
  return new StepError('backup-inconsistent', `The parts of the backup do not fit each other: ${why}.`, {
    outcome: 'not-applied',
    hint: 'Something was changed while the backup was taken. Take it again when nobody works on the control plane.',
  });
}

function outputsOf({ file }: Input, mark: FileMark, files: number): BackupManifestOutputs {
  return { file, ...mark, files };
}
