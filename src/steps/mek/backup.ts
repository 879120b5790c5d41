import { Secret } from '../../engine/secret.ts';
import type {
  ChangeStepType,
  Observation,
  ReadContext,
  RunContext,
  StepErrorOptions,
} from '../../engine/step-type.ts';
import { StepError } from '../../engine/step-type.ts';
import type { MekBackupOutputs, MekBackupWith } from '../../generated/types.ts';
import { backupContent } from '../../keys/backup-content.ts';
import { localFile } from '../backup/kept-file.ts';
import { keyProblems, requireKey, seal, unseal } from '../backup/sealing.ts';
import { asJson, observeOrUnknown } from '../kubectl/observing.ts';
import type { OpenBackup } from './backup-file.ts';
import { fileExists, messageOf, openBackup, readBackupFile } from './backup-file.ts';
import type { OpenDocument } from './document.ts';
import { openDocument, openIfKept, openVersion } from './document.ts';
import { provenKey } from './namespace-proof.ts';
import { connect, requireVersioned } from './openbao.ts';
import { captured, documentWitness, stateOf } from './preparing.ts';
import type { PolicyNeed, Problem } from './target.ts';
import {
  cassandraAccess,
  cassandraResource,
  credentialsPath,
  dataPath,
  documentPath,
  documentResources,
  groupProblems,
  namespaceOf,
  openbaoAccess,
} from './target.ts';
import { requirePolicy } from './token.ts';
import { requireVersion } from './writing.ts';

interface State {
  readonly version: number;
}

export const backup: ChangeStepType<MekBackupWith, MekBackupOutputs> = {
  type: 'mek.backup',
  effect: 'change',
  timeout: 5 * 60_000,
  describe: ({ file, openbao }) =>
    `back up the master keys in OpenBao of ${namespaceOf(openbao)} to ${file}, and prove it`,
  resources: ({ file, openbao, cassandra }) => [
    { path: localFile(file), mode: 'write' },
    ...documentResources(openbao, 'read'),
    cassandraResource(cassandra, 'ess', 'read'),
  ],
  access: (input) => [
    ...openbaoAccess(input.openbao, documentNeed(input)),
    ...cassandraAccess(input.cassandra, 'ess'),
  ],
  check: (input) => [
    ...groupProblems('openbao', input.openbao),
    ...groupProblems('cassandra', input.cassandra),
    ...wayProblems(input),
  ],

  async predict(input, ctx) {
    const { open, notes } = await prepared(input, ctx);
    const { keys, privateJwks } = open.document;
    const count = input.recipients?.length ?? 0;
    const to = count === 0 ? 'a passphrase' : `${count} ${count === 1 ? 'recipient' : 'recipients'}`;
    return {
      predictable: true,
      changes: true,
      diff: [
        {
          path: input.file,
          after: `version ${open.version} (${keys.length} in keys, ${privateJwks.length} in private_jwks), encrypted to ${to}`,
        },
      ],
      outputs: { file: input.file, version: open.version, kids: keys.map(({ kid }) => kid) },
      notes: [...recipientNotes(input), ...notes],
      duration: { min: 1000, max: 60_000 },
    };
  },

  async capture(input, ctx) {
    const { open, mount } = await prepared(input, ctx);
    const state: State = { version: open.version };
    return { state: asJson(state), witnesses: [documentWitness(open, mount)] };
  },

  async run(input, ctx) {
    const { version } = captured<State>(ctx);
    const open = await openDocument(ctx, input.openbao);
    await requireVersion(ctx, open, version);
    const bytes = await seal(input, await contentOf(ctx, open));
    await write(ctx, input.file, bytes);
    // From here on the file is what counts, as it lies on the disk.
    const found = await readBackupFile(ctx, input.file);
    if (found === undefined || !same(found, bytes))
      throw unproven(input, `${input.file} does not hold what was written to it.`);
    const opened = await openBackup(ctx, found, input);
    if (!opened.ok) throw unproven(input, opened.problem, opened.details);
    const difference = differs(opened.backup, open);
    if (difference !== undefined) throw unproven(input, difference);
    return await outputsOf(ctx, input, opened.backup);
  },

  observe: (input, before, ctx) =>
    observeOrUnknown(async (): Promise<Observation> => {
      const { version } = stateOf<State>(before);
      const bytes = await readBackupFile(ctx, input.file);
      if (bytes === undefined) return { state: 'not-applied', evidence: `there is no file ${input.file}` };
      const conflict = (why: string): Observation => ({
        state: 'conflict',
        evidence: `${input.file} exists, but it is not this backup: ${why}`,
      });
      const opened = await openBackup(ctx, bytes, input);
      if (!opened.ok) return conflict(opened.problem);
      const now = await openDocument(ctx, input.openbao);
      const open = now.version === version ? now : await openIfKept(ctx, now, version);
      if (open === undefined)
        return { state: 'unknown', evidence: `version ${version} is kept no more: nothing to compare with` };
      const difference = differs(opened.backup, open);
      if (difference !== undefined) return conflict(difference);
      return await proofObserved(ctx, input, opened.backup);
    }),

  undo: { irreversible: 'A backup is kept; whether it may go is for a human to decide.' },
};

function documentNeed({ openbao }: MekBackupWith): readonly PolicyNeed[] {
  return [{ path: dataPath(documentPath(openbao)), capabilities: ['read'] }];
}

function wayProblems(input: MekBackupWith): readonly Problem[] {
  const { recipients, passphrase, identity } = input;
  if (recipients !== undefined && passphrase !== undefined)
    return [{ path: ['recipients'], message: 'Give either recipients or passphrase.' }];
  if (recipients === undefined && identity !== undefined)
    return [{ path: ['recipients'], message: 'Give the recipients that are to decrypt the backup.' }];
  return keyProblems(input);
}

function recipientNotes({ recipients }: MekBackupWith): readonly string[] {
  return recipients?.length === 1
    ? ['one recipient: if its identity is lost, so is the backup; add one that is kept offline']
    : [];
}

async function prepared(input: MekBackupWith, ctx: ReadContext) {
  const [problem] = wayProblems(input);
  if (problem !== undefined)
    throw new StepError('backup-unproven', problem.message, {
      outcome: 'not-applied',
      hint: problem.hint ?? 'recipients with identity, or passphrase.',
    });
  await requireDecryptable(input);
  if (await fileExists(ctx, input.file)) throw exists(input.file);
  const bao = await connect(ctx, input.openbao);
  const mount = await requireVersioned(ctx, bao, bao.at);
  const credentials = { path: dataPath(credentialsPath(input.cassandra, 'ess')), capabilities: ['read'] };
  const notes = await requirePolicy(ctx, bao, [...documentNeed(input), credentials]);
  const open = await openVersion(ctx, bao);
  await requireVersion(ctx, open, input.version);
  return { open, mount, notes };
}

/** That the identity fits a recipient is tried on nothing of value, before anything is read. */
async function requireDecryptable(input: MekBackupWith): Promise<void> {
  requireKey(input);
  // A passphrase fits by itself, and costs a second each time.
  if (input.passphrase !== undefined) return;
  const decrypted = await unseal(await seal(input, Secret.fromText('trial', 'trial')), input);
  if (!decrypted.ok) throw unproven(input, decrypted.problem);
}

async function contentOf(ctx: ReadContext, open: OpenDocument): Promise<Secret> {
  const { bao, version, createdTime, data } = open;
  const { uid } = await ctx.services.kubernetes.identity();
  const { mount, path } = bao.at;
  const origin = { cluster: uid, mount, path, version, createdTime };
  return data.reveal((bytes) => new Secret('backup', backupContent({ ...origin, data: bytes })));
}

async function write(ctx: RunContext, file: string, bytes: Uint8Array): Promise<void> {
  try {
    await ctx.services.files.create(file, bytes);
  } catch (error) {
    // Whether it is ours, only a look inside tells.
    if (await fileExists(ctx, file).catch(() => false))
      throw exists(file, { outcome: 'unknown', cause: error });
    throw new StepError('file-not-written', `${messageOf(error)}.`, {
      outcome: 'not-applied',
      hint: 'Check that the folder can be written to, and that there is room on its disk.',
      cause: error,
    });
  }
}

function exists(file: string, more: StepErrorOptions = {}): StepError {
  return new StepError('backup-exists', `${file} exists already; nothing is written over a file.`, {
    outcome: 'not-applied',
    hint: 'Give another file: a name with {{run.id}} in it is new in every run.',
    ...more,
  });
}

function same(one: Uint8Array, other: Uint8Array): boolean {
  return Buffer.compare(one, other) === 0;
}

/** How a backup is not the copy of a version, byte by byte. */
function differs(
  { origin, data }: OpenBackup,
  { version, data: stored, bao }: OpenDocument,
): string | undefined {
  if (origin.version !== version) return `it holds version ${origin.version}, not ${version}`;
  if (origin.mount !== bao.at.mount || origin.path !== bao.at.path)
    return `it is of ${origin.mount}/${origin.path}`;
  return data.equals(stored) ? undefined : `the decrypted copy is not version ${version} byte by byte`;
}

async function outputsOf(
  ctx: ReadContext,
  input: MekBackupWith,
  made: OpenBackup,
): Promise<MekBackupOutputs> {
  const { document, sha256, bytes, origin } = made;
  const proof = await provenKey(ctx, input, document);
  if (!proof.ok) throw unproven(input, proof.problem, proof.details);
  const { version } = origin;
  const kids = document.keys.map(({ kid }) => kid);
  return { file: input.file, sha256, bytes, version, kids, provenWith: proof.provenWith };
}

async function proofObserved(ctx: ReadContext, input: MekBackupWith, made: OpenBackup): Promise<Observation> {
  try {
    const outputs = await outputsOf(ctx, input, made);
    return {
      state: 'applied',
      evidence: `${input.file} decrypts to version ${outputs.version}; opened with it: ${outputs.provenWith}`,
      outputs: asJson(outputs),
    };
  } catch (error) {
    if (!(error instanceof StepError) || error.code !== 'backup-unproven') throw error;
    return { state: 'conflict', evidence: error.message };
  }
}

function unproven({ file }: MekBackupWith, why: string, details: readonly string[] = []): StepError {
  return new StepError('backup-unproven', `The backup ${file} is not proven: ${why}`, {
    details,
    hint: 'Do not rely on it. Nothing in OpenBao was changed; repeat it with another file once the cause is gone.',
  });
}
