import { Secret } from '../../engine/secret.ts';
import type { ChangeStepType, ReadContext } from '../../engine/step-type.ts';
import { StepError } from '../../engine/step-type.ts';
import type { NekBackupOutputs, NekBackupWith } from '../../generated/types.ts';
import { nekBackupContent } from '../../keys/nek-backup-content.ts';
import type { NekRow } from '../../services/nek-store.ts';
import { createKept, type FileMark, localFile, observeKept, requireNoFile } from '../backup/kept-file.ts';
import { requireRecipients, seal } from '../backup/sealing.ts';
import { keyspaceOf } from '../mek/target.ts';
import { withNeks } from './open.ts';
import { nekAccess, nekPlaceProblems, nekResources } from './place.ts';
import { readNeks } from './scan.ts';

type About = Omit<NekBackupOutputs, 'file' | 'sha256' | 'bytes'>;

export const backup: ChangeStepType<NekBackupWith, NekBackupOutputs> = {
  type: 'nek.backup',
  effect: 'change',
  timeout: 30 * 60_000,
  describe: ({ file }) => `write every namespace key, wrapped as it is stored, to ${file}, encrypted`,
  resources: (input) => [{ path: localFile(input.file), mode: 'write' }, ...nekResources(input, 'read')],
  access: nekAccess,
  check: nekPlaceProblems,

  async predict(input, ctx) {
    await prepared(input, ctx);
    const count = input.recipients.length;
    return {
      predictable: true,
      changes: true,
      diff: [
        { path: input.file, after: `encrypted to ${count} ${count === 1 ? 'recipient' : 'recipients'}` },
      ],
      outputs: { file: input.file },
      duration: { min: 500, max: 10 * 60_000 },
    };
  },

  async capture(input, ctx) {
    await prepared(input, ctx);
    return { state: null, witnesses: [] };
  },

  async run(input, ctx) {
    return await withNeks(ctx, input, async ({ opened, document, session }) => {
      const rows: NekRow[] = [];
      await readNeks(ctx, session, ({ neks, done }) => {
        for (const nek of neks) rows.push(...nek);
        ctx.progress({ text: `${Math.floor(done * 100)} % of the namespace keys read` });
      });
      const about = aboutOf(rows, opened.version);
      const unknown = about.meks.filter((kid) => document.key(kid) === undefined);
      if (unknown.length > 0)
        throw new StepError(
          'mek-missing',
          `Rows of namespace keys are wrapped with ${unknown.length} master keys that version ${opened.version} of the document does not have.`,
          {
            outcome: 'not-applied',
            details: unknown,
            hint: 'Find them first: mek-audit shows the history of the document, mek-restore-from-backup brings keys back.',
          },
        );
      const { uid } = await ctx.services.kubernetes.identity();
      const takenAt = new Date(ctx.services.clock.now()).toISOString();
      const keyspace = keyspaceOf(input.cassandra, 'ess');
      const content = nekBackupContent({ cluster: uid, keyspace, takenAt, rows });
      const sealed = await seal(input, new Secret('namespace keys', content));
      return outputsOf(input, await createKept(ctx, input.file, sealed, about), about);
    });
  },

  observe: (input, _before, ctx) =>
    observeKept(ctx, input.file, (mark, about) => outputsOf(input, mark, about as unknown as About)),

  undo: { irreversible: 'A backup is kept.' },
};

async function prepared(input: NekBackupWith, ctx: ReadContext): Promise<void> {
  await requireRecipients(input);
  await requireNoFile(ctx, input.file);
}

function aboutOf(rows: readonly NekRow[], mekVersion: number): About {
  const meks = new Set(rows.flatMap(({ encryptedByKid }) => encryptedByKid ?? []));
  return {
    rows: rows.length,
    namespaces: new Set(rows.map(({ namespace }) => namespace)).size,
    keys: new Set(rows.map(({ namespace, kid }) => `${namespace} ${kid}`)).size,
    meks: [...meks].sort(),
    mekVersion,
  };
}

function outputsOf({ file }: NekBackupWith, mark: FileMark, about: About): NekBackupOutputs {
  return { file, ...mark, ...about };
}
