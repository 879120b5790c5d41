import type { ReadContext } from '../../engine/step-type.ts';
import { StepError } from '../../engine/step-type.ts';
import type { TokenInfo } from '../../services/openbao.ts';
import { OpenBaoError } from '../../services/openbao.ts';
import type { Bao } from './openbao.ts';
import { missingPolicy } from './policy.ts';
import type { PolicyNeed } from './target.ts';

// A token that ends sooner may end in the middle of a rotation. Seconds.
const shortLife = 30 * 60;

/** Asks what the token may do, before anything is done; throws `policy-missing`. Gives what a plan should say about the token. */
export async function requirePolicy(
  ctx: ReadContext,
  bao: Bao,
  needs: readonly PolicyNeed[],
): Promise<readonly string[]> {
  const { openbao } = ctx.services;
  try {
    const token = await openbao.tokenInfo(bao.pod, bao.token, ctx.signal);
    const paths = needs.map(({ path }) => path);
    const granted = await openbao.capabilities(bao.pod, paths, bao.token, ctx.signal);
    const missing = needs.flatMap(({ path, capabilities }) => {
      const has = granted[path] ?? [];
      const lacking = has.includes('root') ? [] : capabilities.filter((name) => !has.includes(name));
      return lacking.length === 0 ? [] : [{ path, capabilities: lacking }];
    });
    if (missing.length > 0) throw missingPolicy(missing);
    return tokenNotes(token);
  } catch (error) {
    if (!(error instanceof OpenBaoError)) throw error;
    if (error.status === 403)
      throw new StepError(
        'token-refused',
        'OpenBao does not accept the token, or does not let it ask what it may do.',
        {
          outcome: 'not-applied',
          hint: 'Check that the token has not expired and that its policies include `default`.',
          cause: error,
        },
      );
    throw new StepError('kv-unreadable', `Could not ask OpenBao what the token may do: ${error.message}`, {
      outcome: 'not-applied',
      retryable: error.retryable,
      cause: error,
    });
  }
}

function tokenNotes({ root, ttl }: TokenInfo): readonly string[] {
  const notes: string[] = [];
  if (root) notes.push('the token is a root token: `runbook plan --access` prints the policy that is enough');
  if (ttl !== undefined && ttl < shortLife)
    notes.push(
      `the token ends in ${Math.floor(ttl / 60)} minutes: a run that takes longer stops in the middle`,
    );
  return notes;
}
