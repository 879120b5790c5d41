import type { MekDocument } from '../../keys/mek-document.ts';
import type { StoredNek } from '../../keys/nek-row.ts';
import { rowVerdict } from '../../keys/nek-row.ts';
import type { NekReadSession, NewNekRow } from '../../services/nek-store.ts';

/** What a backup has of a namespace and the store has not. */
export interface Missing {
  readonly namespace: string;
  readonly rows: readonly NewNekRow[];
  /** Kid to set as the current one, where the store has none. */
  readonly currentKid: string | undefined;
}

export interface Comparison {
  readonly missing: readonly Missing[];
  /** Rows of the backup that are there already, whatever they hold. */
  readonly there: number;
  /** Rows that ESS would not use: they wait for promotion, or no master key opens them. Never written. */
  readonly useless: number;
}

/** Compares a backup with the store, namespace by namespace. Only what is not there counts: nothing is ever written over. */
export async function compare(
  session: NekReadSession,
  given: {
    readonly rows: readonly StoredNek[];
    readonly document: MekDocument;
    readonly signal: AbortSignal;
    readonly onNamespace?: (done: number, of: number) => void;
  },
): Promise<Comparison> {
  const byNamespace = grouped(given.rows);
  const missing: Missing[] = [];
  let [there, useless, done] = [0, 0, 0];
  for (const [namespace, rows] of byNamespace) {
    const stored = await session.partition({ namespace }, given.signal);
    const known = new Set(stored.map(idOf));
    const lost = rows.filter((row) => !known.has(idOf(row)));
    there += rows.length - lost.length;
    const usable = lost.flatMap((row) => complete(row, given.document) ?? []);
    useless += lost.length - usable.length;
    const currentKid = currentOf(rows, stored, usable);
    if (usable.length > 0 || currentKid !== undefined) missing.push({ namespace, rows: usable, currentKid });
    done += 1;
    given.onNamespace?.(done, byNamespace.size);
  }
  return { missing, there, useless };
}

export function idOf({ kid, encryptedAt }: { readonly kid: string; readonly encryptedAt: number }): string {
  return `${encryptedAt} ${kid}`;
}

export function countOf(missing: readonly Missing[]): number {
  return missing.reduce((sum, { rows }) => sum + rows.length, 0);
}

function grouped(rows: readonly StoredNek[]): ReadonlyMap<string, readonly StoredNek[]> {
  const groups = new Map<string, StoredNek[]>();
  for (const row of rows) {
    const group = groups.get(row.namespace);
    if (group === undefined) groups.set(row.namespace, [row]);
    else group.push(row);
  }
  return groups;
}

/** A row that ESS would use with the keys of the document. */
function complete(row: StoredNek, document: MekDocument): NewNekRow | undefined {
  const { namespace, kid, encryptedAt, createdAt, encryptedByKid, encryptedKey, status } = row;
  if (createdAt === null || encryptedByKid === null || encryptedKey === null || status === null)
    return undefined;
  const verdict = rowVerdict(row, document);
  if (verdict.state !== 'usable') return undefined;
  verdict.nek.wipe();
  return { namespace, kid, encryptedAt, createdAt, encryptedByKid, encryptedKey, status };
}

/** The current kid of the backup, where the store has none and has, or will have, a row of it. */
function currentOf(
  backup: readonly StoredNek[],
  stored: readonly StoredNek[],
  coming: readonly NewNekRow[],
): string | undefined {
  if (stored.some(({ currentKid }) => currentKid !== null)) return undefined;
  const wanted = backup.find(({ currentKid }) => currentKid !== null)?.currentKid ?? undefined;
  return [...stored, ...coming].some(({ kid }) => kid === wanted) ? wanted : undefined;
}
