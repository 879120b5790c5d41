/** A version of the MEK document, read without the code under test. */
export interface DocumentKeys {
  readonly version: number;
  readonly currentKid: string;
  readonly mappedKid: string;
  readonly keys: readonly Key[];
  readonly privateJwks: readonly Key[];
  /** Fields that somebody else added. */
  readonly notes: readonly string[];
}

interface Key {
  readonly kid: string;
  readonly k: string;
}

function setOf(field: unknown): readonly Key[] {
  return (JSON.parse(Buffer.from(String(field), 'base64').toString('utf8')) as { keys: Key[] }).keys;
}

export function readDocument(version: number, data: Readonly<Record<string, unknown>>): DocumentKeys {
  return {
    version,
    currentKid: String(data.current_kid),
    mappedKid: (JSON.parse(String(data.jwe_mapping)) as { payload_jwe_kid: string }).payload_jwe_kid,
    keys: setOf(data.keys),
    privateJwks: setOf(data.private_jwks),
    notes: Object.keys(data).filter((name) => name.startsWith('note_')),
  };
}

/**
 * Kids that may be taken out again: they came after the first version, were never in front or current in any version, and
 * no row that is stored names them.
 */
export function mayBeWithdrawn(
  versions: readonly DocumentKeys[],
  used: ReadonlySet<string>,
): readonly string[] {
  const [first] = versions;
  const all = versions.flatMap(({ keys, privateJwks }) => [...keys, ...privateJwks].map(({ kid }) => kid));
  const fronts = new Set(
    versions.flatMap(({ keys, privateJwks, currentKid, mappedKid }) => [
      keys[0]?.kid,
      privateJwks[0]?.kid,
      currentKid,
      mappedKid,
    ]),
  );
  const old = new Set([...(first?.keys ?? []), ...(first?.privateJwks ?? [])].map(({ kid }) => kid));
  return [...new Set(all)].filter((kid) => !old.has(kid) && !fronts.has(kid) && !used.has(kid));
}

/** One sentence for each key or note of a version that the last one does not have, but for what may be withdrawn. */
export function lostSince(
  versions: readonly DocumentKeys[],
  now: DocumentKeys,
  withdrawable: readonly string[],
): readonly string[] {
  const lost = new Set<string>();
  for (const earlier of versions) {
    for (const set of ['keys', 'privateJwks'] as const)
      for (const { kid, k } of earlier[set])
        if (!withdrawable.includes(kid) && !now[set].some((key) => key.kid === kid && key.k === k))
          lost.add(`${set} lost ${kid} of version ${earlier.version}`);
    for (const note of earlier.notes)
      if (!now.notes.includes(note)) lost.add(`${note} of version ${earlier.version} is gone`);
  }
  return [...lost];
}
