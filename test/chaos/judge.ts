import { readFileSync } from 'node:fs';
import path from 'node:path';
import { verifyRun } from '../../src/engine/run/list-runs.ts';
import { keysOf } from '../../src/sandbox/consumers/document.ts';
import { selectRow } from '../../src/sandbox/consumers/nek.ts';
import { openSandbox, type Sandbox } from '../../src/sandbox/open.ts';
import type { JudgeJob, Verdict } from './jobs.ts';
import { journalProblems } from './journal.ts';
import { type DocumentKeys, lostSince, readDocument } from './mek-history.ts';

/** Longer than it takes ESS to read the document again, twice, and every pod to come back. */
const SETTLED = 35 * 60_000;

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

function promises(sandbox: Sandbox): readonly string[] {
  const { inspect } = sandbox;
  return [false, true].flatMap((afterRestart) => [
    ...inspect.everySecretReadable({ afterRestart }).problems,
    ...inspect.everyApiKeyValid({ afterRestart }).problems,
    ...inspect.everyWorkerTokenRenewed({ afterRestart }).problems,
  ]);
}

/** Refusals that are no broken promise: the service had not loaded any keys. */
const excused = /master keys are not available|no keys are loaded/;

/** Namespace keys whose row that ESS would use lies under another master key than this one. */
function notUnder(sandbox: Sandbox, kid: string): readonly string[] {
  const { inspect } = sandbox;
  const keys = keysOf('ess', inspect.secret()?.data ?? {});
  if (!keys.ok) return [`ESS refuses the document: ${keys.problem}`];
  return inspect.namespaces().flatMap((namespace) => {
    const rows = inspect.nekRows(namespace);
    return [...new Set(rows.map((row) => row.kid))].flatMap((nek) => {
      const selected = selectRow(
        rows.filter((row) => row.kid === nek),
        keys.value,
      );
      if (selected.ok && selected.row.encryptedByKid === kid) return [];
      return [
        `${namespace} ${nek}: ${selected.ok ? `lies under ${selected.row.encryptedByKid}` : selected.why}`,
      ];
    });
  });
}

function outcomeProblems(
  sandbox: Sandbox,
  given: { code: number | undefined; kid: string | undefined; first: DocumentKeys; now: DocumentKeys },
): readonly string[] {
  const { code, kid, first, now } = given;
  const current = now.currentKid;
  const front = (want: string | undefined) =>
    [now.keys[0]?.kid, now.privateJwks[0]?.kid, current, now.mappedKid].every((found) => found === want);
  if (code === 0) {
    if (kid === undefined) return ['exit 0, and the journal names no kid'];
    if (!front(kid)) return [`exit 0, and ${kid} is not in front: current is ${current}`];
    return notUnder(sandbox, kid).map((each) => `exit 0: ${each}`);
  }
  if (code === 5 || code === 4)
    return front(first.currentKid)
      ? []
      : [`exit ${code}, and ${first.currentKid} is not in front: current is ${current}`];
  return [];
}

/** Compares the world that a run left with everything that was ever promised in it. */
export async function judge(job: JudgeJob): Promise<Verdict> {
  const { runFolder, seed, world, code } = job;
  const struckBefore = readFileSync(path.join(runFolder, 'world.jsonl'), 'utf8');
  const sandbox = openSandbox({ dir: runFolder, seed, script: { world } });
  try {
    await settle(sandbox);
    const { inspect } = sandbox;
    const versions = inspect.documentVersions().map(({ version, data }) => readDocument(version, data));
    const [first] = versions;
    const now = versions.at(-1);
    if (first === undefined || now === undefined) throw new Error('the document is gone');
    const lost = lostSince(versions, now);
    const struck = inspect.struck();
    const destroyed = struck.some((what) => what === 'migrations written') && lost.length > 0;
    const { problems: journal, kid } = journalProblems(runFolder, { code, versions, world: struckBefore });
    const refused = inspect.refused().filter((text) => !excused.test(text));
    const verified = verifyRun(path.dirname(runFolder), path.basename(runFolder)).problems;
    const rows = inspect.everyRowKept();
    return {
      problems: [
        ...(destroyed
          ? []
          : [
              ...lost,
              ...promises(sandbox),
              ...refused,
              ...outcomeProblems(sandbox, { code, kid, first, now }),
            ]),
        ...rows.problems,
        ...journal,
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
