import { readFileSync } from 'node:fs';
import path from 'node:path';
import { verifyRun } from '../../src/engine/run/list-runs.ts';
import { keysOf } from '../../src/sandbox/consumers/document.ts';
import { selectRow } from '../../src/sandbox/consumers/nek.ts';
import { openSandbox, type Sandbox } from '../../src/sandbox/open.ts';
import type { JudgeJob, Verdict } from './jobs.ts';
import { journalProblems } from './journal.ts';
import { type DocumentKeys, lostSince, mayBeWithdrawn, readDocument } from './mek-history.ts';

/** Longer than it takes ESS to read the document again, and every pod to come back. */
const SETTLED = 16 * 60_000;

/** Everybody who was sealed or stopped is brought back, and the services read what there is now. */
async function settle(sandbox: Sandbox): Promise<void> {
  const { clock } = sandbox.services;
  const never = new AbortController().signal;
  for (let round = 0; round < 2; round++) {
    for (const at of [0, 1, 2]) {
      sandbox.control.startNode(`cassandra-${at}`);
      sandbox.control.unseal('vault-system', `openbao-server-${at}`);
    }
    await clock.sleep(SETTLED / 2, never);
  }
}

function promises({ inspect }: Sandbox): readonly string[] {
  return [false, true].flatMap((afterRestart) => [
    ...inspect.everySecretReadable({ afterRestart }).problems,
    ...inspect.everyApiKeyValid({ afterRestart }).problems,
    ...inspect.everyWorkerTokenRenewed({ afterRestart }).problems,
  ]);
}

/** Refusals that are no broken promise: the service had not loaded any keys. */
const excused = /master keys are not available|no keys are loaded/;

/** Namespace keys whose row that ESS would use lies under another master key than this one. */
function notUnder({ inspect }: Sandbox, kid: string): readonly string[] {
  const keys = keysOf('ess', inspect.secret()?.data ?? {});
  if (!keys.ok) return [`ESS refuses the document: ${keys.problem}`];
  return inspect.namespaces().flatMap((namespace) => {
    const rows = inspect.nekRows(namespace);
    return [...new Set(rows.map((row) => row.kid))].flatMap((nek) => {
      const own = rows.filter((row) => row.kid === nek);
      const selected = selectRow(own, keys.value);
      if (selected.ok && selected.row.encryptedByKid === kid) return [];
      return [
        `${namespace} ${nek}: ${selected.ok ? `is under ${selected.row.encryptedByKid}` : selected.why}`,
      ];
    });
  });
}

interface Outcome {
  readonly code: number | undefined;
  /** Of the journal's outputs. */
  readonly kid: string | undefined;
  readonly first: DocumentKeys;
  readonly now: DocumentKeys;
}

function outcomeProblems(sandbox: Sandbox, { code, kid, first, now }: Outcome): readonly string[] {
  const { currentKid, mappedKid } = now;
  const fronts = [now.keys[0]?.kid, now.privateJwks[0]?.kid, currentKid, mappedKid];
  const wanted = code === 0 ? kid : code === 4 || code === 5 ? first.currentKid : currentKid;
  if (wanted === undefined) return ['exit 0, and the journal names no kid'];
  if (fronts.some((front) => front !== wanted))
    return [`exit ${code}, and ${wanted} is not in front everywhere: ${fronts.join(', ')}`];
  return code === 0 ? notUnder(sandbox, wanted).map((each) => `exit 0: ${each}`) : [];
}

/** Compares the world that a run left with everything that was ever promised in it. */
export async function judge(job: JudgeJob): Promise<Verdict> {
  const { runFolder, seed, code, mended = false } = job;
  const left = readFileSync(path.join(runFolder, 'world.jsonl'), 'utf8');
  const sandbox = openSandbox({ dir: runFolder, seed });
  try {
    await settle(sandbox);
    const { inspect } = sandbox;
    const versions = inspect.documentVersions().map(({ version, data }) => readDocument(version, data));
    const [first] = versions;
    const now = versions.at(-1);
    if (first === undefined || now === undefined) throw new Error('the document is gone');
    const used = new Set(inspect.nekRows().map((row) => row.encryptedByKid ?? ''));
    const lost = lostSince(versions, now, mayBeWithdrawn(versions, used));
    const struck = inspect.struck();
    const destroyed = !mended && lost.length > 0 && struck.includes('migrations written');
    const { problems: journal, kid } = journalProblems(runFolder, { code, versions, world: left });
    const rows = inspect.everyRowKept();
    const verified = verifyRun(path.dirname(runFolder), path.basename(runFolder)).problems;
    return {
      problems: [
        ...(destroyed ? [] : [...lost, ...promises(sandbox)]),
        ...(destroyed || mended ? [] : inspect.refused().filter((text) => !excused.test(text))),
        ...(destroyed || mended ? [] : outcomeProblems(sandbox, { code, kid, first, now })),
        ...rows.problems,
        ...(mended ? [] : journal),
        ...verified.map((problem) => `verify: ${JSON.stringify(problem)}`),
      ],
      struck,
      destroyed,
      secrets: inspect.everySecretReadable().checked,
      apiKeys: inspect.everyApiKeyValid().checked,
      rows: rows.checked,
    };
  } finally {
    sandbox.close();
  }
}
