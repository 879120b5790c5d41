import type { ReadContext } from '../../engine/step-type.ts';
import type { MekDocument } from '../../keys/mek-document.ts';
import type { KvMetadata, KvVersion } from '../../services/openbao.ts';
import type { LostKey, MekOutline } from './changes.ts';
import { changeSentences, hashIn, lostKeys, sayLost, setsOf } from './changes.ts';
import { parseProtected } from './document.ts';
import type { Bao } from './openbao.ts';
import { nothingThere, readMetadata, unreadable } from './openbao.ts';
import { dataPath } from './target.ts';

/** A version of the document that OpenBao keeps, or says that it kept. */
export interface PastVersion {
  readonly version: number;
  readonly createdTime: string;
  readonly state: 'valid' | 'invalid' | 'deleted' | 'destroyed';
  /** Of a valid one. */
  readonly document: MekDocument | undefined;
  /** Of an invalid one. */
  readonly problems: readonly string[];
}

export interface History {
  readonly metadata: KvMetadata;
  /** Oldest first. */
  readonly versions: readonly PastVersion[];
}

/** Every version that is kept. One that cannot be read is a failure; one that is deleted is said to be. */
export async function readHistory(ctx: ReadContext, bao: Bao): Promise<History> {
  const metadata = await readMetadata(ctx, bao, bao.at);
  if (metadata === undefined)
    throw await nothingThere(ctx, bao, bao.at, { state: 'not-found', reason: 'absent' });
  const versions: PastVersion[] = [];
  for (const listed of metadata.versions) {
    const version = await readPast(ctx, bao, listed);
    if (version !== undefined) versions.push(version);
  }
  return { metadata, versions };
}

async function readPast(
  ctx: ReadContext,
  bao: Bao,
  { version, createdTime, deletionTime, destroyed }: KvVersion,
): Promise<PastVersion | undefined> {
  const gone = { version, createdTime, document: undefined, problems: [] };
  if (destroyed) return { ...gone, state: 'destroyed' };
  if (deletionTime !== '') return { ...gone, state: 'deleted' };
  const at = { ...bao.at, version };
  const read = await ctx.services.openbao.kvRead(bao.pod, at, bao.token, ctx.signal);
  if (read.state === 'failed') throw await unreadable(ctx, bao, { what: dataPath(at), error: read.error });
  // Between the list and the read a version may have become too old to be kept, or been deleted.
  if (read.state === 'not-found')
    return read.reason === 'absent' ? undefined : { ...gone, state: read.reason };
  const parsed = parseProtected(ctx, read.data);
  if (!parsed.ok) return { ...gone, state: 'invalid', problems: parsed.problems };
  return { ...gone, state: 'valid', document: parsed.document };
}

/** The newest unbroken run of versions in which a key is active. */
export interface ActiveSince {
  readonly version: number;
  /** When that version was written; the key was activated then, or before when no earlier version is kept. */
  readonly createdTime: string;
  /** Active before; empty when no version that is kept tells. */
  readonly previousKid: string;
}

/** Since when a key has been active without a break; undefined when it is not. */
export function activeSince(versions: readonly PastVersion[], kid: string): ActiveSince | undefined {
  const readable = versions.flatMap(({ version, createdTime, document }) =>
    document === undefined ? [] : [{ version, createdTime, document }],
  );
  const last = readable.findLastIndex(({ document }) => document.currentKid !== kid);
  const since = readable[last + 1];
  if (since === undefined) return undefined;
  const { version, createdTime } = since;
  return { version, createdTime, previousKid: readable[last]?.document.currentKid ?? '' };
}

export interface JudgedVersion extends PastVersion {
  /** What it changed against the newest valid version before it. */
  readonly change: string;
}

export interface HistoryVerdict {
  /** `problems` has the keys that each lost or changed, too. */
  readonly versions: readonly JudgedVersion[];
  /** Keys that were lost or overwritten and have not come back; empty: nothing is amiss now. */
  readonly damage: readonly string[];
  /** 0: none. */
  readonly newestIntactPrivateJwks: number;
}

interface FirstSeen extends Omit<LostKey, 'now'> {
  readonly version: number;
}

/**
 * Looks for keys that a version lost or overwrote. The bytes that a kid first had in a set are the right ones. A key that left
 * both sets in one write, while nothing else changed and another was active, was taken out on purpose.
 */
export function judgeHistory(versions: readonly PastVersion[]): HistoryVerdict {
  const expected = new Map<string, FirstSeen>();
  const judged: JudgedVersion[] = [];
  let previous: MekOutline | undefined;
  for (const version of versions) {
    const { document } = version;
    if (document === undefined) {
      judged.push({ ...version, change: '' });
      continue;
    }
    const before = previous ?? document;
    const onPurpose = takenOut(before, document);
    const lost = lostKeys(before, document);
    for (const { set, kid } of onPurpose ? lost : []) expected.delete(`${set} ${kid}`);
    for (const [set, keys] of setsOf(document))
      for (const { kid, hash } of keys)
        if (!expected.has(`${set} ${kid}`))
          expected.set(`${set} ${kid}`, { set, kid, hash, version: version.version });
    const change = changeSentences(before, document).join('; ');
    judged.push({ ...version, change, problems: onPurpose ? [] : lost.map(sayLost) });
    previous = document;
  }
  const last = versions.at(-1);
  return {
    versions: judged,
    damage: last === undefined ? [] : damageOf(last, [...expected.values()]),
    newestIntactPrivateJwks: newestIntact(versions, [...expected.values()]),
  };
}

function takenOut(before: MekOutline, after: MekOutline): boolean {
  const lost = lostKeys(before, after);
  const kids = new Set(lost.map(({ kid }) => kid));
  const rest = changeSentences(before, after).length === lost.length;
  return (
    rest &&
    lost.every(({ now }) => now === undefined) &&
    [...kids].every((kid) => setsOf(after).every(([set]) => hashIn(after, set, kid) === undefined))
  );
}

function damageOf(last: PastVersion, expected: readonly FirstSeen[]): readonly string[] {
  const { document } = last;
  if (document === undefined) return [`the newest version, ${last.version}, is ${last.state}`];
  return expected.flatMap(({ set, kid, hash, version }) => {
    const now = hashIn(document, set, kid);
    return now === hash ? [] : [`${sayLost({ set, kid, hash, now })}; version ${version} had it`];
  });
}

function newestIntact(versions: readonly PastVersion[], expected: readonly FirstSeen[]): number {
  const mine = expected.filter(({ set }) => set === 'private_jwks');
  const intact = versions.filter(
    ({ version, document }) =>
      document !== undefined &&
      mine.every((key) => key.version > version || hashIn(document, 'private_jwks', key.kid) === key.hash),
  );
  return intact.at(-1)?.version ?? 0;
}
