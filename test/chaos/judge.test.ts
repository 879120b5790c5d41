import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Secret } from '../../src/engine/secret.ts';
import { MEK_PATH } from '../../src/sandbox/mek/seed.ts';
import { openSandbox, type Sandbox } from '../../src/sandbox/open.ts';
import { kinds } from '../../src/services/kubernetes.ts';
import { encoded, setOf } from '../sandbox/keys-rig.ts';
import { never } from '../sandbox/rig.ts';
import { runFolderOf, runProcess } from './chaos-run.ts';
import { buildWorker, type Lane, openLane } from './pool.ts';

const seed = 4;
const folder = mkdtempSync(path.join(tmpdir(), 'runbook-judge-'));
let lane: Lane;
let left: string;

beforeAll(async () => {
  lane = openLane(await buildWorker(path.join(folder, 'program')));
  const world = { neks: { namespaces: 2, each: 2 }, earlierKeys: 1, load: { every: 60_000 } };
  const run = { folder: path.join(folder, 'run'), seed, world, lane };
  expect(await runProcess(run, { verb: 'exec' }, 1)).toMatchObject({ code: 0 });
  left = runFolderOf(run.folder) ?? '';
});

afterAll(async () => {
  await lane.close();
  rmSync(folder, { recursive: true, force: true });
});

type Fields = Readonly<Record<string, unknown>>;

/** Somebody writes the document with check-and-set. */
async function write(sandbox: Sandbox, change: (data: Fields) => Fields): Promise<void> {
  const { openbao, kubernetes } = sandbox.services;
  const active = { namespace: 'vault-system', labelSelector: 'openbao-active=true' };
  const [pod] = await kubernetes.list(kinds.pods, active);
  const found = sandbox.inspect.secret();
  if (pod === undefined || found === undefined) throw new Error('nothing to write');
  const data = Secret.fromText('document', JSON.stringify(change(found.data)));
  const at = { namespace: 'vault-system', pod: pod.metadata.name, uid: pod.metadata.uid ?? '' };
  const token = Secret.fromText('token', `s.sandbox-root-${seed}`);
  await openbao.kvWrite(at, { ...MEK_PATH, cas: found.version, data }, token, never);
}

/** What the judge says of a copy of the world that somebody has hurt. */
async function judged(hurt: (sandbox: Sandbox, copy: string) => Promise<void> | void, code = 0) {
  const copy = path.join(mkdtempSync(path.join(folder, 'copy-')), path.basename(left));
  cpSync(left, copy, { recursive: true });
  const sandbox = openSandbox({ dir: copy, seed });
  try {
    await hurt(sandbox, copy);
  } finally {
    sandbox.close();
  }
  return (await lane.judge({ runFolder: copy, seed, code })).problems;
}

test('finds nothing in a world that nobody hurt', async () => {
  expect(await judged(() => undefined)).toEqual([]);
});

test('sees a namespace key row that is gone, and one that was changed', async () => {
  const problems = await judged(({ control, inspect }) => {
    const [first, second] = inspect.nekRows();
    if (first === undefined || second === undefined) throw new Error('no rows');
    control.deleteRow(first);
    control.updateRow(second, { encryptedKey: first.encryptedKey });
  });
  expect(problems).toContainEqual(expect.stringMatching(/^Row .* is gone\.$/));
  expect(problems).toContainEqual(expect.stringMatching(/^Row .* was changed\.$/));
});

test.each(['keys', 'private_jwks'] as const)('sees a key that left %s', async (set) => {
  const problems = await judged((sandbox) =>
    write(sandbox, (data) => ({ ...data, [set]: encoded(setOf(data, set).slice(0, -1)) })),
  );
  expect(problems).toContainEqual(expect.stringMatching(/^(?:keys|privateJwks) lost /));
});

test('sees keys of clients that are lost with the bytes of a master key', async () => {
  const problems = await judged((sandbox) =>
    write(sandbox, (data) => ({ ...data, private_jwks: data.keys })),
  );
  expect(problems).toContainEqual(expect.stringMatching(/^a restarted api-keys refuses API key /));
});

test('sees a rotation that says it is done while the earlier key is in front', async () => {
  const problems = await judged((sandbox) =>
    write(sandbox, (data) => {
      const keys = [...setOf(data, 'keys')].reverse();
      return { ...data, keys: encoded(keys) };
    }),
  );
  expect(problems).toContainEqual(expect.stringContaining('is not in front everywhere'));
});

test('sees a rotation that says it is done while keys lie under an earlier one', async () => {
  const problems = await judged(({ control, inspect }) => {
    for (const row of inspect
      .nekRows()
      .filter(({ status }) => status === 'VALIDATED')
      .slice(0, 40))
      control.updateRow(row, { status: 'PENDING_REENCRYPTION' });
  });
  expect(problems).toContainEqual(expect.stringMatching(/^exit 0: /));
});

test('sees an exit code that is not what the journal says, nor what the world is like', async () => {
  const problems = await judged(() => undefined, 5);
  expect(problems).toContainEqual('exit 5, and the journal says 0');
  expect(problems).toContainEqual(expect.stringMatching(/^exit 5, and .* is not in front everywhere/));
});

test('sees a journal with a record taken out', async () => {
  const problems = await judged((_, copy) => {
    const file = path.join(copy, 'journal.jsonl');
    const lines = readFileSync(file, 'utf8').split('\n');
    writeFileSync(file, lines.filter((_line, at) => at !== 12).join('\n'));
  });
  expect(problems).toContainEqual(expect.stringMatching(/^verify: /));
});
