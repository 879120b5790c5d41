import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { DocumentKeys } from './mek-history.ts';

interface Recorded {
  readonly seq: number;
  readonly type: string;
  readonly id?: string;
  readonly outputs?: Readonly<Record<string, unknown>>;
  readonly [field: string]: unknown;
}

/** The records of a journal, read without the code under test; a torn last line is left out. */
export function readJournal(runFolder: string): readonly Recorded[] {
  const text = readFileSync(path.join(runFolder, 'journal.jsonl'), 'utf8');
  return text
    .slice(0, text.lastIndexOf('\n') + 1)
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line.replace(/^\d+ [0-9a-f]{64} /, '')) as Recorded);
}

interface WorldRecord {
  readonly do?: string;
  readonly call?: { readonly method: string; readonly path: string };
  readonly request?: { readonly method: string; readonly path: string };
  readonly strike?: { readonly what: string };
}

const DOCUMENT = 'services/all/kv/data/encryption/keys/stored_data';

/** What happened in a world: changes that the program made, and strikes; Leases are left out. */
function happenedIn(world: string): readonly string[] {
  return world.split('\n').flatMap((line) => {
    if (line === '') return [];
    const record = JSON.parse(line) as WorldRecord;
    if (record.do === 'rows' || record.do === 'serve') return [record.do];
    if (record.strike !== undefined) return [`strike ${record.strike.what}`];
    if (record.request !== undefined) return [`bao ${record.request.path}`];
    const { call } = record;
    return call === undefined || call.path.includes('/leases') ? [] : [`${call.method} ${call.path}`];
  });
}

interface Given {
  readonly code: number | undefined;
  readonly versions: readonly DocumentKeys[];
  readonly world: string;
}

/** Steps that write the document, and what a version must hold that one of them says it wrote. */
function claimProblems(records: readonly Recorded[], versions: readonly DocumentKeys[]): readonly string[] {
  return records.flatMap(({ type, id, outputs, undo }) => {
    if (type !== 'result' || undo === true || (id !== 'publish' && id !== 'activate')) return [];
    const claimed = versions.find(({ version }) => version === outputs?.version);
    const kid = String(outputs?.kid);
    const holds =
      id === 'activate'
        ? claimed?.currentKid === kid
        : [claimed?.keys, claimed?.privateJwks].every((set) => set?.some((key) => key.kid === kid));
    return holds ? [] : [`${id} says that version ${outputs?.version} has ${kid}, and it has not`];
  });
}

/** Does the journal tell what the world went through? */
export function journalProblems(
  runFolder: string,
  { code, versions, world }: Given,
): { readonly problems: readonly string[]; readonly kid: string | undefined } {
  const records = readJournal(runFolder);
  const finished = records.findLast(({ type }) => type === 'run-finished');
  const problems: string[] = [];
  if (code !== undefined && records.length > 0 && finished?.exitCode !== code)
    problems.push(`exit ${code}, and the journal says ${JSON.stringify(finished?.exitCode)}`);
  const happened = happenedIn(world);
  const made = happened.filter((what) => !what.startsWith('strike '));
  if (code === 4 && made.length > 0) problems.push(`exit 4, and there were changes: ${made.join(', ')}`);
  const destroyed = happened.indexOf('strike migrations');
  const guarded = happened.findIndex((what) => what.includes('/metadata/'));
  if (
    destroyed !== -1 &&
    (guarded === -1 || destroyed < guarded) &&
    happened.indexOf(`bao ${DOCUMENT}`, destroyed) !== -1
  )
    problems.push('the document was written after somebody else had destroyed it');
  const intents = records.filter(
    ({ type, id }) => type === 'intended' && /^(?:publish|activate)$/.test(String(id)),
  );
  const writes = happened.filter((what) => what === `bao ${DOCUMENT}`).length;
  // An effect may ask again after an answer was lost; it never writes without an intent.
  if (writes > 0 && intents.length === 0) problems.push(`${writes} writes of the document, and no intent`);
  problems.push(...claimProblems(records, versions));
  return { problems, kid: finished?.outputs?.kid as string | undefined };
}
