import type { MekDocument } from '../src/keys/mek-document.ts';
import { checkRewrapped, planRewrap } from '../src/keys/nek-rewrap.ts';
import type { NekRow, NekSession } from '../src/services/nek-store.ts';

const never = new AbortController().signal;

/** What `nek.reencrypt` does for one key, one statement after the other. */
export async function rewrapOne(
  session: NekSession,
  row: NekRow,
  how: { readonly document: MekDocument; readonly kid: string; readonly now: number },
): Promise<void> {
  const { document } = how;
  const plan = planRewrap([row], how);
  if (plan.action !== 'rewrap') throw new Error(plan.action);
  await session.insert([plan.row], {}, never);
  const [stored] = await session.rows([plan.row], never);
  const problems = checkRewrapped(stored, { document, written: plan.row, proof: plan.proof });
  if (problems.length > 0) throw new Error(problems.join(' '));
  await session.insert([{ ...plan.row, status: 'VALIDATED' }], {}, never);
}
