import type { ReadContext } from '../../engine/step-type.ts';
import { countApiKeys, rowsUnder, unparsableRows } from './api-keys-rows.ts';
import type { OpenDocument } from './document.ts';
import type { PastVersion } from './history.ts';
import { readHistory } from './history.ts';
import { eachNamespace, names } from './namespace-keys.ts';
import type { CassandraGroup, OpenBaoGroup } from './target.ts';

interface Groups {
  readonly openbao: OpenBaoGroup;
  readonly cassandra: CassandraGroup;
  readonly apiKeys: CassandraGroup;
}

/**
 * Why something may be encrypted with a key that came with version `from`: the first reason found, or none, which is the proof that
 * it is not in use. What cannot be read now is a failure, not a reason.
 */
export async function whyMayBeInUse(
  ctx: ReadContext,
  groups: Groups,
  about: { readonly open: OpenDocument; readonly kid: string; readonly from: number },
): Promise<readonly string[]> {
  const { kid, open } = about;
  const { versions } = await readHistory(ctx, open.bao);
  const active = sinceActive(versions, { kid, from: about.from, to: open.version });
  if (active !== undefined) return [active];
  let rows = 0;
  await eachNamespace(ctx, groups, (namespace) => {
    rows += namespace.filter((row) => names(row, kid)).length;
    return rows > 0;
  });
  if (rows > 0) return ['namespace keys are wrapped with it'];
  const counts = await countApiKeys(ctx, groups);
  const under = rowsUnder(counts, kid);
  if (under > 0) return [`${under} rows of API Keys are encrypted with it`];
  const unknown = unparsableRows(counts);
  return unknown > 0 ? [`${unknown} rows of API Keys do not say which key they are encrypted with`] : [];
}

function sinceActive(
  versions: readonly PastVersion[],
  { kid, from, to }: { readonly kid: string; readonly from: number; readonly to: number },
): string | undefined {
  for (let version = from; version <= to; version++) {
    const document = versions.find((one) => one.version === version)?.document;
    if (document === undefined)
      return `version ${version} cannot be read any more, and may have had it as the active key`;
    if (document.currentKid === kid || document.keys[0]?.kid === kid)
      return `it was the active key in version ${version}, so that something may be encrypted with it`;
  }
  return undefined;
}
