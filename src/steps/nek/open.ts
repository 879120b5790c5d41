import type { ReadContext } from '../../engine/step-type.ts';
import { StepError } from '../../engine/step-type.ts';
import type { MekDocument } from '../../keys/mek-document.ts';
import type { OpenDocument } from '../mek/document.ts';
import { openDocument } from '../mek/document.ts';
import { nameOfSecret } from '../mek/openbao.ts';
import { cassandraSession } from '../mek/session.ts';
import type { NekPlace } from './place.ts';

type SessionOf<Context extends ReadContext> = Awaited<ReturnType<Context['services']['nekStore']['open']>>;

/** Namespace keys and the master keys that open them. */
export interface NekWorld<Session> {
  readonly opened: OpenDocument;
  readonly document: MekDocument;
  /** The master key that everything is to be under. */
  readonly kid: string;
  readonly session: Session;
}

/** Opens both, gives them to `use` and closes the session, whatever comes of it. `kid`: the active master key unless told. */
export async function withNeks<Context extends ReadContext, Result>(
  ctx: Context,
  input: NekPlace & { readonly kid?: string | undefined },
  use: (world: NekWorld<SessionOf<Context>>) => Promise<Result>,
): Promise<Result> {
  const opened = await openDocument(ctx, input.openbao);
  const kid = input.kid ?? opened.document.currentKid;
  requireKid(opened, kid);
  const session = await cassandraSession(ctx, input.openbao, input.cassandra);
  try {
    return await use({ opened, document: opened.document, kid, session });
  } finally {
    session.close();
  }
}

function requireKid({ document, bao }: OpenDocument, kid: string): void {
  if (document.key(kid) !== undefined) return;
  throw new StepError('kid-unknown', `${nameOfSecret(bao.at)} has no master key ${kid} in keys.`, {
    outcome: 'not-applied',
    details: document.keys.map((key) => `it has ${key.kid}`),
    hint: 'Check kid. A key that was never published, or was retired, cannot wrap anything.',
  });
}
