import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { DocumentKeys } from './mek-history.ts';

interface Recorded {
  readonly seq: number;
  readonly type: string;
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

/** Changes that the program made in its world: writes of the document, of rows, of workloads. */
export function changesIn(world: string): readonly string[] {
  return world.split('\n').flatMap((line) => {
    if (line === '') return [];
    const record = JSON.parse(line) as {
      do?: string;
      call?: { method: string; path: string };
      request?: { method: string; path: string };
    };
    if (record.do === 'rows') return ['rows'];
    if (
      record.request !== undefined &&
      record.request.method !== 'GET' &&
      !record.request.path.startsWith('sys/cap')
    )
      return [`bao ${record.request.path}`];
    if (record.call !== undefined && !record.call.path.includes('/leases'))
      return [`${record.call.method} ${record.call.path}`];
    return [];
  });
}

export function journalProblems(
  runFolder: string,
  given: {
    readonly code: number | undefined;
    readonly versions: readonly DocumentKeys[];
    readonly world: string;
  },
): { readonly problems: readonly string[]; readonly kid: string | undefined } {
  const records = readJournal(runFolder);
  const finished = records.findLast(({ type }) => type === 'run-finished');
  const problems: string[] = [];
  if (given.code !== undefined && records.length > 0 && finished?.exitCode !== given.code)
    problems.push(`exit ${given.code}, and the journal says ${JSON.stringify(finished?.exitCode)}`);
  const made = changesIn(given.world);
  if (given.code === 4 && made.length > 0)
    problems.push(`exit 4, and there were changes: ${made.join(', ')}`);
  const kid = (finished?.outputs as { kid?: string } | undefined)?.kid;
  return { problems, kid };
}
