import { Secret } from '../../engine/secret.ts';
import type { ReadContext, RunContext } from '../../engine/step-type.ts';
import { StepError } from '../../engine/step-type.ts';
import type { MekChange, MekPlace } from '../../keys/mek-change.ts';
import { continuity } from '../../keys/mek-change.ts';
import type { MekDocument } from '../../keys/mek-document.ts';
import { parseMekDocument, serializeMekDocument } from '../../keys/mek-document.ts';
import { OpenBaoError } from '../../services/openbao.ts';
import { changeSentences, lostKeys, sameOutline, sayLost } from './changes.ts';
import type { OpenDocument } from './document.ts';
import { openDocument, openIfKept, openVersion, protectKeys } from './document.ts';
import { nameOfSecret, requireToken } from './openbao.ts';
import { missingPolicy } from './policy.ts';
import { dataPath } from './target.ts';
import { noteAnswered, noteSent } from './trail.ts';

// A lost answer is looked for this long: an election takes seconds.
const patience = 10_000;
const pause = 1000;

/** The changed document, or the refusal of the change as a failure. */
export function changed(change: MekChange): MekDocument {
  if (change.ok) return change.document;
  throw new StepError('mek-change-refused', change.problem, { outcome: 'not-applied' });
}

/**
 * Writes `next` in place of the version that was read and of no other, and proves by reading back that it is there. `mayGo` names
 * the keys that the change is meant to drop or replace; losing any other is refused before anything is sent. Whether a write took
 * place that got no answer is found out by reading.
 */
export async function writeDocument(
  ctx: RunContext,
  read: OpenDocument,
  { next, mayGo = [] }: { readonly next: MekDocument; readonly mayGo?: readonly MekPlace[] },
): Promise<OpenDocument> {
  requireKept(read.document, next, mayGo);
  return await writeData(ctx, read, { next, data: sealed(ctx, next) });
}

/** What a write replaces: a version, or nothing at all where the version is 0. */
type Replaced = Pick<OpenDocument, 'bao' | 'version'>;

/** The same where there is no document to lose a key of. */
export async function writeFirst(
  ctx: RunContext,
  nothing: Replaced,
  next: MekDocument,
): Promise<OpenDocument> {
  return await writeData(ctx, nothing, { next, data: sealed(ctx, next) });
}

async function writeData(
  ctx: RunContext,
  read: Replaced,
  { next, data }: { readonly next: MekDocument; readonly data: Secret },
): Promise<OpenDocument> {
  const { bao, version: cas } = read;
  let written: number | undefined;
  await noteSent(ctx, cas);
  try {
    written = await ctx.services.openbao.kvWrite(bao.pod, { ...bao.at, cas, data }, bao.token, ctx.signal);
    await noteAnswered(ctx);
  } catch (error) {
    if (!(error instanceof OpenBaoError)) throw error;
    if (error.outcome === 'not-applied') await noteAnswered(ctx);
    // Another version may be that of this very write, sent twice on its way: reading tells.
    if (error.outcome === 'not-applied' && !error.casMismatch) throw await refused(ctx, read, error);
  }
  return await proven(ctx, read, { next, written });
}

/** Throws `world-moved` when the document is not the version that was expected; names what changed, by kids. */
export async function requireVersion(
  ctx: ReadContext,
  now: OpenDocument,
  expected: number | undefined,
): Promise<void> {
  if (expected === undefined || now.version === expected) return;
  throw await moved(ctx, now, expected);
}

/** Somebody else wrote: what is there now, and what changed since the version that was expected. */
export async function moved(ctx: ReadContext, now: OpenDocument, expected: number): Promise<StepError> {
  const before = await openIfKept(ctx, now, expected);
  const details =
    before === undefined
      ? [`version ${expected} cannot be read any more, so what changed is not known`]
      : changeSentences(before.document, now.document);
  return new StepError(
    'world-moved',
    `${nameOfSecret(now.bao.at)} is version ${now.version}, written ${now.createdTime}; expected was version ${expected}.`,
    {
      outcome: 'not-applied',
      details: details.length === 0 ? ['no key and no mark changed'] : details,
      hint: 'Find out who wrote it (the audit log of OpenBao). Nothing is written over it; when it is right, start a new run from it.',
    },
  );
}

/** A key may be added, moved or marked; dropped or replaced only where the change is meant to. Two looks that must agree. */
function requireKept(before: MekDocument, next: MekDocument, mayGo: readonly MekPlace[]): void {
  const lost = lostKeys(before, next);
  const wrong = lost.filter(({ set, kid }) => !mayGo.some((place) => place.set === set && place.kid === kid));
  if (wrong.length === 0 && continuity(before, next).length === lost.length) return;
  throw new StepError('would-lose-key', 'The new document would lose a key: it is not written.', {
    outcome: 'not-applied',
    details: wrong.map(sayLost),
    hint: 'This is a defect of runbook; please report it.',
  });
}

function sealed(ctx: RunContext, next: MekDocument): Secret {
  protectKeys(ctx, next);
  const data = new Secret('master keys', serializeMekDocument(next));
  ctx.protect(data);
  const parsed = data.reveal(parseMekDocument);
  if (parsed.ok && sameOutline(parsed.document, next)) return data;
  throw new StepError(
    'mek-document-invalid',
    'The new document could not be read again: it is not written.',
    {
      outcome: 'not-applied',
      details: parsed.ok ? changeSentences(next, parsed.document) : parsed.problems,
      hint: 'This is a defect of runbook; please report it.',
    },
  );
}

async function refused(ctx: RunContext, read: Replaced, error: OpenBaoError): Promise<StepError> {
  if (error.status === 403) {
    await requireToken(ctx, read.bao);
    return missingPolicy([{ path: dataPath(read.bao.at), capabilities: ['update'] }], error);
  }
  return new StepError('kv-refused', `OpenBao did not write ${nameOfSecret(read.bao.at)}: ${error.message}`, {
    outcome: 'not-applied',
    retryable: error.retryable,
    cause: error,
  });
}

/** Reads until the write is seen, or something else in its place, or it has been too long. */
async function proven(
  ctx: RunContext,
  read: Replaced,
  { next, written }: { readonly next: MekDocument; readonly written: number | undefined },
): Promise<OpenDocument> {
  const until = ctx.services.clock.now() + patience;
  const expected = written ?? read.version + 1;
  for (;;) {
    const newest = await look(ctx, read);
    if (newest !== undefined && newest.version >= expected) {
      const found =
        newest.version === expected
          ? newest
          : await afterSending(() => openVersion(ctx, newest.bao, expected));
      if (sameOutline(found.document, next)) return found;
      if (written === undefined) throw await moved(ctx, newest, read.version);
      throw differs(found, next);
    }
    if (ctx.services.clock.now() >= until || ctx.signal.aborted) break;
    ctx.progress({ text: `reading back ${nameOfSecret(read.bao.at)}` });
    await ctx.services.clock.sleep(pause, ctx.signal);
  }
  throw new StepError(
    'write-unanswered',
    written === undefined
      ? `OpenBao did not answer whether it wrote version ${expected} of ${nameOfSecret(read.bao.at)}, and it is not there.`
      : `OpenBao wrote version ${expected} of ${nameOfSecret(read.bao.at)}, but it could not be read back.`,
    {
      retryable: true,
      hint: 'Check OpenBao (bao.status), then continue: the step looks before it writes again.',
    },
  );
}

async function look(ctx: RunContext, read: Replaced): Promise<OpenDocument | undefined> {
  try {
    return await afterSending(() => openDocument(ctx, read.bao.group));
  } catch (error) {
    if (error instanceof StepError && error.retryable) return undefined;
    throw error;
  }
}

/** A read that fails after a write was sent says nothing about the write. */
async function afterSending<T>(act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    if (!(error instanceof StepError)) throw error;
    const { code, message, retryable, hint, details, cause } = error;
    throw new StepError(code, message, { retryable, details, cause, ...(hint !== undefined && { hint }) });
  }
}

function differs(found: OpenDocument, next: MekDocument): StepError {
  return new StepError(
    'readback-differs',
    `Version ${found.version} of ${nameOfSecret(found.bao.at)} is not what was written.`,
    {
      details: changeSentences(next, found.document),
      hint: 'Look at it (mek.inspect with history: true) before anything else is changed.',
    },
  );
}
