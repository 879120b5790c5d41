import type { ReadContext, ReadStepType } from '../../engine/step-type.ts';
import { StepError } from '../../engine/step-type.ts';
import type { BackupVerifyOutputs, BackupVerifyWith } from '../../generated/types.ts';
import { markOf, readWhole } from './kept-file.ts';
import { type Manifest, parseManifest, pathOf } from './manifest-content.ts';
import { proveParts } from './parts.ts';
import { keyProblems, requireKey } from './sealing.ts';

type Input = BackupVerifyWith;

const largest = 4 * 1024 ** 3;

export const verify: ReadStepType<BackupVerifyWith, BackupVerifyOutputs> = {
  type: 'backup.verify',
  effect: 'read',
  timeout: 30 * 60_000,
  describe: ({ manifest }) => `open every file that ${manifest} lists, and prove it`,
  resources: () => [{ path: 'local/*', mode: 'read' }],
  access: () => [],
  check: keyProblems,
  findings: ({ problems }) => ({
    details: problems,
    ...(problems.length > 0 && {
      hint: 'Do not rely on it. Another copy may be whole; take another backup as soon as the control plane is sound.',
    }),
  }),

  async run(input, ctx) {
    requireKey(input);
    const manifest = await open(input, ctx);
    const problems: string[] = [];
    const whole: Manifest['files'][number][] = [];
    for (const file of manifest.files) {
      ctx.progress({ text: `checking ${file.file}` });
      const problem = await digestProblem(ctx, input, file);
      if (problem === undefined) whole.push(file);
      else problems.push(`${file.file}: ${problem}`);
    }
    const proof = await proveParts(ctx, input, { manifest, files: whole });
    problems.push(...proof.problems);
    const { cluster, writtenAt, mek, releases } = manifest;
    const parts = new Map(
      manifest.files.map(({ part, of, file }) => [`${part} ${of}`.trim(), pathOf(input.manifest, { file })]),
    );
    return {
      ok: problems.length === 0,
      problems,
      cluster,
      writtenAt,
      files: manifest.files.length,
      mekVersion: mek.version,
      kids: [...mek.kids],
      rows: proof.rows,
      opened: proof.opened,
      masterKeys: parts.get('masterKeys') ?? '',
      namespaceKeys: parts.get('namespaceKeys') ?? '',
      openbao: parts.get('openbao') ?? '',
      secrets: manifest.files
        .filter(({ part }) => part === 'secret')
        .map(({ of, file }) => {
          const [namespace = '', name = ''] = of.split('/');
          return { namespace, name, file: pathOf(input.manifest, { file }) };
        }),
      releases: releases.map((release) => ({
        ...release,
        values: parts.get(`values ${release.namespace}/${release.release}`) ?? '',
      })),
      snapshotTag: manifest.cassandra?.tag ?? '',
      snapshotNodes: [...(manifest.cassandra?.nodes ?? [])],
      summary:
        problems.length === 0
          ? `${manifest.files.length} files of ${writtenAt} are whole: version ${mek.version} with ${mek.kids.length} master keys opens ${proof.opened} of ${proof.rows} rows of namespace keys`
          : `${problems.length} ${problems.length === 1 ? 'problem' : 'problems, the first'}: ${problems[0]}`,
    };
  },
};

async function open(input: Input, ctx: ReadContext): Promise<Manifest> {
  const parsed = parseManifest(await readWhole(ctx, input.manifest, 16 * 1024 ** 2));
  if (parsed.ok) return parsed.manifest;
  throw new StepError('backup-unreadable', `${input.manifest}: ${parsed.problem}`, {
    outcome: 'not-applied',
    hint: 'Name the manifest that backup-control-plane wrote.',
  });
}

async function digestProblem(
  ctx: ReadContext,
  input: Input,
  file: Manifest['files'][number],
): Promise<string | undefined> {
  try {
    const { sha256, bytes } = markOf(await readWhole(ctx, pathOf(input.manifest, file), largest));
    if (sha256 === file.sha256 && bytes === file.bytes) return undefined;
    return bytes === file.bytes ? 'its digest is another one' : `it has ${bytes} bytes, not ${file.bytes}`;
  } catch (error) {
    if (!(error instanceof StepError)) throw error;
    return error.message;
  }
}
