import type { Json } from '../../engine/json.ts';
import type { Before, Observation, ReadContext, RunContext, Witness } from '../../engine/step-type.ts';
import { StepError } from '../../engine/step-type.ts';
import type { KvMetadata } from '../../services/openbao.ts';
import { observeOrUnknown } from '../kubectl/observing.ts';
import type { OpenDocument } from './document.ts';
import { openDocument, openVersion } from './document.ts';
import { connect, nameOfSecret, nothingThere, readMetadata, requireVersioned } from './openbao.ts';
import type { OpenBaoGroup, PolicyNeed } from './target.ts';
import { documentResource } from './target.ts';
import { requirePolicy } from './token.ts';
import { requireVersion } from './writing.ts';

/** Everything that is looked at before a change of the document. */
export interface Prepared {
  readonly open: OpenDocument;
  readonly metadata: KvMetadata;
  /** UUID of the mount: another engine at the same path is another secret. */
  readonly mount: string;
  /** What a plan should say. */
  readonly notes: readonly string[];
}

/** The document with proof that this token may change it; refuses what would make a write unsafe, before anything is written. */
export async function prepare(
  ctx: ReadContext,
  group: OpenBaoGroup,
  { needs, after }: { readonly needs: readonly PolicyNeed[]; readonly after?: number | undefined },
): Promise<Prepared> {
  const bao = await connect(ctx, group);
  const mount = await requireVersioned(ctx, bao, bao.at);
  const tokenNotes = await requirePolicy(ctx, bao, needs);
  const open = await openVersion(ctx, bao);
  await requireVersion(ctx, open, after);
  const metadata = await readMetadata(ctx, bao, bao.at);
  if (metadata === undefined)
    throw await nothingThere(ctx, bao, bao.at, { state: 'not-found', reason: 'absent' });
  return { open, metadata, mount, notes: [...tokenNotes, ...metadataNotes(metadata), ...open.warnings] };
}

function metadataNotes({ casRequired, maxVersions, deleteVersionAfter }: KvMetadata): readonly string[] {
  const notes: string[] = [];
  if (!casRequired)
    notes.push(
      'this path does not require check-and-set: a Helm upgrade of OpenBao can overwrite the keys (bao.kv-metadata sets it)',
    );
  if (maxVersions > 0 && maxVersions < 10)
    notes.push(`only ${maxVersions} versions are kept: the way back is short`);
  if (!/^(0s?)?$/.test(deleteVersionAfter))
    notes.push(
      `versions are deleted after ${deleteVersionAfter}: so is the newest one, with every key in it`,
    );
  return notes;
}

/** The version of the document as a witness: it moves with every write, whoever makes it. */
export function documentWitness(open: OpenDocument, mount: string): Witness {
  return {
    resource: documentResource(open.bao.group),
    description: `${nameOfSecret(open.bao.at)} version ${open.version}`,
    digest: `${mount}:${open.version}`,
  };
}

/** What `capture` found, in a run. */
export function captured<State>(ctx: RunContext): State {
  if (ctx.before !== undefined) return ctx.before.state as State & Json;
  throw new StepError('not-captured', 'This step was started without what it has to compare with.', {
    outcome: 'not-applied',
    hint: 'This is a defect of runbook; please report it.',
  });
}

export function stateOf<State>(before: Before): State {
  return before.state as State & Json;
}

// These say for certain that the document is not what the step left there.
const certain: ReadonlySet<string> = new Set([
  'kv-absent',
  'kv-deleted',
  'kv-destroyed',
  'mek-document-invalid',
]);

/** Judges the document as it is now; one that is gone or damaged is a conflict, one that cannot be read is unknown. */
export async function observeDocument(
  ctx: ReadContext,
  group: OpenBaoGroup,
  judge: (open: OpenDocument) => Promise<Observation>,
): Promise<Observation> {
  return await observeOrUnknown(async () => {
    let open: OpenDocument;
    try {
      open = await openDocument(ctx, group);
    } catch (error) {
      if (!(error instanceof StepError) || !certain.has(error.code)) throw error;
      return { state: 'conflict', evidence: error.message };
    }
    return await judge(open);
  });
}
