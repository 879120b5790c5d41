import type { RunContext } from '../../engine/step-type.ts';
import { StepError } from '../../engine/step-type.ts';
import { callHelm } from './call.ts';
import { clientsOf } from './client-record.ts';
import { type ReleaseInput, refOf, releaseName } from './release-target.ts';
import { isPending, newestOf, originOf, sayRevision } from './revisions.ts';
import { runClient } from './run-client.ts';

export interface WayBack {
  readonly base: { readonly newest: number; readonly deployed: number };
  /** The revision to put back; 0 when none was deployed. */
  readonly to: number;
  /** What is undone: 'upgrade'. */
  readonly what: string;
}

/** Puts an earlier revision back, unless it is back already; refuses over somebody else's change. */
export async function rollBack(
  ctx: RunContext,
  input: ReleaseInput,
  { base, to, what }: WayBack,
): Promise<void> {
  const { helm } = ctx.services;
  const history = await callHelm(() => helm.history(refOf(input), ctx.signal));
  const newest = newestOf(history);
  const name = releaseName(input);
  const refuse = (code: string, message: string, hint: string) =>
    new StepError(code, message, { outcome: 'not-applied', hint });
  if (to === 0)
    throw refuse(
      'never-deployed',
      `Release ${name} had no deployed revision before the ${what}.`,
      'Mend it by hand.',
    );
  const good = newest.status === 'deployed' || newest.status === 'superseded';
  if (newest.revision === base.newest && good) return;
  if (good && originOf(history, newest.revision) === originOf(history, to)) return;
  if (!history.some(({ revision }) => revision === to))
    throw refuse(
      'revision-pruned',
      `Release ${name} keeps revision ${to} no longer: there is nothing to roll back to.`,
      'Upgrade to the earlier chart version with the values of the backup.',
    );
  const clients = await clientsOf(ctx);
  const operation = ctx.operationKey;
  const marked = await callHelm(() => helm.isMarked({ ...refOf(input), operation }, ctx.signal));
  // Undoing may have been tried before: those revisions are of this step, too.
  const begun = marked || /^(?:Rollback|Release) /.test(newest.description);
  const ours =
    newest.description === `runbook ${operation}` ||
    (begun && newest.revision <= base.newest + clients.started);
  if (!ours)
    throw refuse(
      'conflict',
      `Somebody made ${sayRevision(newest)} of release ${name} since: rolling back would take that back, too.`,
      `Decide with them, then: helm rollback ${input.release} ${to} -n ${input.namespace}`,
    );
  if (isPending(newest) && clients.last === 'alive')
    throw new StepError(
      'busy',
      `A helm client still works on revision ${newest.revision} of release ${name}.`,
      {
        outcome: 'not-applied',
        retryable: true,
        hint: 'Wait until it has ended.',
      },
    );
  ctx.progress({ text: `rolling ${name} back to revision ${to}` });
  await runClient(ctx, input, (run) => helm.rollback({ ...refOf(input), revision: to }, run));
}
