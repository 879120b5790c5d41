import { Secret } from '../../engine/secret.ts';
import type { ReadContext } from '../../engine/step-type.ts';
import { StepError } from '../../engine/step-type.ts';
import type { MekDocument, MekDocumentRead } from '../../keys/mek-document.ts';
import { parseMekDocument, secretsOf } from '../../keys/mek-document.ts';
import type { Bao, KvFound } from './openbao.ts';
import { connect, nameOfSecret, readKv } from './openbao.ts';
import type { OpenBaoGroup } from './target.ts';

/** A version of the document, read and proven to be one. */
export interface OpenDocument {
  readonly bao: Bao;
  readonly version: number;
  /** RFC 3339, by OpenBao's clock. */
  readonly createdTime: string;
  readonly document: MekDocument;
  readonly warnings: readonly string[];
  /** The fields as they are stored. */
  readonly data: Secret;
}

/** The master key document, through the active unsealed pod. Every key in it is protected before this returns. */
export async function openDocument(
  ctx: ReadContext,
  group: OpenBaoGroup,
  options: { readonly version?: number | undefined } = {},
): Promise<OpenDocument> {
  return await openVersion(ctx, await connect(ctx, group), options.version);
}

/** The same, of a pod that is known. */
export async function openVersion(ctx: ReadContext, bao: Bao, version?: number): Promise<OpenDocument> {
  const found = await readKv(ctx, bao, version === undefined ? bao.at : { ...bao.at, version });
  const read = parseProtected(ctx, found.data);
  if (!read.ok) throw invalid(`Version ${found.version} of ${nameOfSecret(bao.at)}`, read.problems);
  return opened(bao, found, read);
}

/** A version that may be too old to be kept, or damaged; undefined then. */
export async function openIfKept(
  ctx: ReadContext,
  { bao }: OpenDocument,
  version: number,
): Promise<OpenDocument | undefined> {
  try {
    return await openVersion(ctx, bao, version);
  } catch (error) {
    if (
      error instanceof StepError &&
      /^(kv-(absent|deleted|destroyed)|mek-document-invalid)$/.test(error.code)
    )
      return undefined;
    throw error;
  }
}

export function opened(
  bao: Bao,
  { version, createdTime, data }: KvFound,
  { document, warnings }: Extract<MekDocumentRead, { ok: true }>,
): OpenDocument {
  return { bao, version, createdTime, document, warnings, data };
}

/** Nobody can print the fields, nor a key in them, from here on. */
export function parseProtected(ctx: ReadContext, data: Secret): MekDocumentRead {
  protect(ctx, data);
  const read = data.reveal(parseMekDocument);
  if (read.ok) protectKeys(ctx, read.document);
  return read;
}

export function protectKeys(ctx: ReadContext, document: MekDocument): void {
  for (const bytes of secretsOf(document)) ctx.protect(new Secret('master key', bytes));
}

function protect(ctx: ReadContext, data: Secret): void {
  // Shorter values cannot be told from innocent text, and hold no key.
  if (data.byteLength >= 16) ctx.protect(data);
}

export function invalid(what: string, problems: readonly string[]): StepError {
  return new StepError(
    'mek-document-invalid',
    `${what} is not a master key document as the services read it.`,
    {
      outcome: 'not-applied',
      details: problems,
      hint: 'Look at its history (mek.inspect with history: true). An earlier version that is valid can be written again with bao.kv-put.',
    },
  );
}
