import type { ReadContext } from '../../engine/step-type.ts';
import type { MekDocument } from '../../keys/mek-document.ts';
import { rowVerdict } from '../../keys/nek-row.ts';
import type { NekRow } from '../../services/nek-store.ts';
import { eachNamespace } from './namespace-keys.ts';
import type { CassandraGroup, OpenBaoGroup } from './target.ts';

type Proof =
  | { readonly ok: true; readonly provenWith: string }
  | { readonly ok: false; readonly problem: string; readonly details: readonly string[] };

const mostReasons = 20;

/** Opens a namespace key that ESS uses with the keys of a document. A store without any proves all that there is to prove. */
export async function provenKey(
  ctx: ReadContext,
  groups: { readonly openbao: OpenBaoGroup; readonly cassandra: CassandraGroup },
  document: MekDocument,
): Promise<Proof> {
  let rows = 0;
  let opened: NekRow | undefined;
  const reasons: string[] = [];
  await eachNamespace(ctx, groups, (namespace) => {
    rows += namespace.length;
    opened = namespace.find((row) => opens(row, document, reasons));
    return opened !== undefined;
  });
  if (opened !== undefined) return { ok: true, provenWith: `${opened.namespace}/${opened.kid}` };
  if (rows === 0)
    return { ok: true, provenWith: `there is no namespace key yet; active is ${document.currentKid}` };
  return {
    ok: false,
    problem: `None of ${rows} stored namespace keys opens with it.`,
    details: reasons,
  };
}

function opens(row: NekRow, document: MekDocument, reasons: string[]): boolean {
  const verdict = rowVerdict(row, document);
  if (verdict.state === 'usable') {
    verdict.nek.wipe();
    return true;
  }
  const reason = 'reason' in verdict ? verdict.reason : verdict.state;
  if (reasons.length < mostReasons) reasons.push(`${row.namespace}/${row.kid}: ${reason}`);
  return false;
}
