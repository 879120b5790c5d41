import type { ChangeStepType, Observation, ReadContext } from '../../engine/step-type.ts';
import { StepError } from '../../engine/step-type.ts';
import type { MekRestoreOutputs, MekRestoreWith } from '../../generated/types.ts';
import { mergeKeys } from '../../keys/mek-change.ts';
import type { MekDocument } from '../../keys/mek-document.ts';
import { keyProblems, requireKey } from '../backup/sealing.ts';
import { asJson } from '../kubectl/observing.ts';
import type { OpenBackup } from './backup-file.ts';
import { openBackup, readBackupFile } from './backup-file.ts';
import type { MekOutline } from './changes.ts';
import { diffLines, hashIn, lostKeys, outlineOf, sayLost, setsOf } from './changes.ts';
import type { OpenDocument } from './document.ts';
import { openVersion } from './document.ts';
import type { Bao } from './openbao.ts';
import { connect, nameOfSecret, nothingThere, requireVersioned, unreadable } from './openbao.ts';
import { captured, documentWitness, observeDocument, stateOf } from './preparing.ts';
import {
  dataPath,
  documentNeeds,
  documentResources,
  groupProblems,
  namespaceOf,
  openbaoAccess,
} from './target.ts';
import { requirePolicy } from './token.ts';
import { mayBeOnItsWay } from './trail.ts';
import { moved, requireVersion, writeDocument, writeFirst } from './writing.ts';

interface State {
  /** Of the document that the backup is merged into; with `outline: null`, of the nothing that is there. */
  readonly version: number;
  readonly mount: string;
  readonly outline: MekOutline | null;
  readonly backup: MekOutline;
}

/** What the backup meets: a document, or an explicit nothing. */
type Ground =
  | { readonly found: true; readonly open: OpenDocument }
  | { readonly found: false; readonly bao: Bao; readonly version: number };

export const restore: ChangeStepType<MekRestoreWith, MekRestoreOutputs> = {
  type: 'mek.restore',
  effect: 'change',
  timeout: 2 * 60_000,
  describe: ({ file, openbao }) =>
    `add the keys of ${file} that are missing to the master keys in OpenBao of ${namespaceOf(openbao)}`,
  resources: ({ openbao }) => documentResources(openbao, 'write'),
  access: ({ openbao }) => openbaoAccess(openbao, documentNeeds(openbao, ['create', 'update'])),
  check: (input) => [...groupProblems('openbao', input.openbao), ...keyProblems(input)],

  async predict(input, ctx) {
    const { ground, backup, notes } = await prepared(input, ctx);
    const before = ground.found ? ground.open.document : nothing;
    const next = ground.found ? merged(ground.open.document, backup.document) : backup.document;
    const added = addedTo(before, next);
    return {
      predictable: true,
      changes: added.length > 0,
      diff: diffLines(before, next),
      outputs: { added, nothingToDo: added.length === 0 },
      notes,
      duration: { min: 500, max: 20_000 },
    };
  },

  async capture(input, ctx) {
    const { ground, backup, mount } = await prepared(input, ctx);
    const state: State = {
      version: ground.found ? ground.open.version : ground.version,
      mount,
      outline: ground.found ? outlineOf(ground.open.document) : null,
      backup: outlineOf(backup.document),
    };
    return {
      state: asJson(state),
      witnesses: ground.found ? [documentWitness(ground.open, mount)] : [],
    };
  },

  async run(input, ctx) {
    const state = captured<State>(ctx);
    const backup = await mustOpen(input, ctx);
    const ground = await groundOf(ctx, await connect(ctx, input.openbao));
    const version = ground.found ? ground.open.version : ground.version;
    if (ground.found && lacks(ground.open.document, state.backup).length === 0)
      return outputsOf(state, ground.open);
    if (version !== state.version && ground.found) throw await moved(ctx, ground.open, state.version);
    const written = ground.found
      ? await writeDocument(ctx, ground.open, {
          next: merged(ground.open.document, backup.document) as MekDocument,
        })
      : await writeFirst(ctx, ground, backup.document);
    return outputsOf(state, written);
  },

  async observe(input, before, ctx) {
    const state = stateOf<State>(before);
    const seen = await observeDocument(ctx, input.openbao, (open) => judge(ctx, state, open));
    if (state.outline !== null || seen.state !== 'conflict') return seen;
    // There was nothing before either.
    const bao = await connect(ctx, input.openbao);
    const ground = await groundOf(ctx, bao);
    return ground.found ? seen : { state: 'not-applied', evidence: `there is no ${nameOfSecret(bao.at)}` };
  },

  undo: { irreversible: 'Keys that came back are kept; they do no harm.' },
};

const nothing: MekOutline = { keys: [], privateJwks: [], currentKid: '', jweMappingKid: '' };

async function prepared(input: MekRestoreWith, ctx: ReadContext) {
  const backup = await mustOpen(input, ctx);
  const bao = await connect(ctx, input.openbao);
  const mount = await requireVersioned(ctx, bao, bao.at);
  const needs = documentNeeds(input.openbao, ['update']);
  const tokenNotes = await requirePolicy(ctx, bao, needs);
  const ground = await groundOf(ctx, bao);
  if (ground.found) await requireVersion(ctx, ground.open, input.after);
  else await requirePolicy(ctx, bao, [{ path: dataPath(bao.at), capabilities: ['create'] }]);
  return { ground, backup, mount, notes: [...(await originNotes(ctx, bao, backup)), ...tokenNotes] };
}

async function mustOpen(input: MekRestoreWith, ctx: ReadContext): Promise<OpenBackup> {
  requireKey(input);
  const bytes = await readBackupFile(ctx, input.file);
  if (bytes === undefined)
    throw new StepError('not-found', `There is no file ${input.file}.`, { outcome: 'not-applied' });
  const opened = await openBackup(ctx, bytes, input);
  if (opened.ok) return opened.backup;
  throw new StepError('backup-unreadable', `${input.file} cannot be restored: ${opened.problem}`, {
    outcome: 'not-applied',
    details: opened.details,
    hint: 'Check that it is the right file and the right identity; another copy may be whole.',
  });
}

async function originNotes(
  ctx: ReadContext,
  { at }: Bao,
  { origin }: OpenBackup,
): Promise<readonly string[]> {
  const { uid } = await ctx.services.kubernetes.identity();
  const notes = [`the backup holds version ${origin.version} of ${origin.createdTime}`];
  if (origin.cluster !== uid) notes.push('the backup is of another cluster');
  if (origin.mount !== at.mount || origin.path !== at.path)
    notes.push(`the backup is of ${origin.mount}/${origin.path}`);
  return notes;
}

/** Only an explicit "absent" or "destroyed" is nothing; what is deleted still holds every key and is to be undeleted. */
async function groundOf(ctx: ReadContext, bao: Bao): Promise<Ground> {
  const read = await ctx.services.openbao.kvRead(bao.pod, bao.at, bao.token, ctx.signal);
  if (read.state === 'found') return { found: true, open: await openVersion(ctx, bao) };
  if (read.state === 'failed')
    throw await unreadable(ctx, bao, { what: dataPath(bao.at), error: read.error });
  await requireVersioned(ctx, bao, bao.at);
  if (read.reason === 'absent') return { found: false, bao, version: read.version ?? 0 };
  if (read.reason === 'destroyed' && read.version !== undefined)
    return { found: false, bao, version: read.version };
  throw await nothingThere(ctx, bao, bao.at, read);
}

function merged(before: MekDocument, backup: MekDocument): MekDocument {
  const change = mergeKeys(before, backup);
  if (change.ok) return change.document;
  throw new StepError('mek-change-refused', change.problem, {
    outcome: 'not-applied',
    hint: 'Nothing is replaced here. Keys of API Keys that were overwritten come back with mek.repair.',
  });
}

function addedTo(before: MekOutline, next: MekOutline): MekRestoreOutputs['added'] {
  return setsOf(next).flatMap(([set, keys]) =>
    keys.filter(({ kid }) => hashIn(before, set, kid) === undefined).map(({ kid }) => ({ set, kid })),
  );
}

/** Keys of the backup that a document does not have. */
function lacks(document: MekOutline, backup: MekOutline) {
  return lostKeys(backup, document);
}

function outputsOf({ outline, backup, version }: State, open: OpenDocument): MekRestoreOutputs {
  const before = outline ?? nothing;
  const added = addedTo(before, backup);
  const nothingToDo = added.length === 0;
  return { version: nothingToDo ? open.version : version + 1, added, nothingToDo };
}

async function judge(ctx: ReadContext, state: State, open: OpenDocument): Promise<Observation> {
  const { outline, backup, version, mount } = state;
  const { document } = open;
  const where = `version ${open.version}`;
  const lost = outline === null ? [] : lostKeys(outline, document);
  const missing = lacks(document, backup);
  const overwritten = missing.filter(({ now }) => now !== undefined);
  if (lost.length > 0 || overwritten.length > 0)
    return {
      state: 'conflict',
      evidence: `somebody else wrote ${where}: ${[...lost, ...overwritten].map(sayLost).join('; ')}`,
    };
  if (missing.length === 0)
    return {
      state: 'applied',
      evidence: `${where} has every key of the backup`,
      outputs: asJson(outputsOf(state, open)),
      witnesses: [documentWitness(open, mount)],
    };
  if (open.version === version && (await mayBeOnItsWay(ctx, version)))
    return { state: 'in-progress', evidence: `a write got no answer; ${where} lacks keys of the backup` };
  return { state: 'not-applied', evidence: `${where} lacks: ${missing.map(sayLost).join('; ')}` };
}
