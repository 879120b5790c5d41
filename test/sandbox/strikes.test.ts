import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { openSandbox, type Sandbox } from '../../src/sandbox/open.ts';
import type { SandboxScript } from '../../src/sandbox/script.ts';
import type { Strike } from '../../src/sandbox/strikes.ts';
import { kinds } from '../../src/services/kubernetes.ts';
import { activateKey, appendKey, documentOf, newer, setOf } from './keys-rig.ts';
import { never, pass } from './rig.ts';

const MINUTE = 60_000;
const small = { neks: { namespaces: 3, each: 4 } };

function folderOf(): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'runbook-strikes-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

const list = (sandbox: Sandbox) => sandbox.services.kubernetes.list(kinds.pods, { namespace: 'ess' });

/** A world in which these things happen at once, with the first call. */
async function struck(
  strikes: readonly Strike[],
  given: { readonly world?: SandboxScript['world']; readonly dir?: string } = {},
): Promise<Sandbox> {
  const script = {
    world: { ...small, ...given.world },
    strikes: strikes.map((strike) => ({ after: 1, strike })),
  };
  const sandbox = openSandbox({ seed: 5, script, ...(given.dir === undefined ? {} : { dir: given.dir }) });
  await list(sandbox);
  return sandbox;
}

test('clients of the load are told of secrets, API keys and tokens, and nothing is refused to them', async () => {
  const sandbox = await struck([], { world: { load: { every: 5_000 } } });
  await pass(sandbox, 20 * MINUTE);
  expect(sandbox.inspect.everySecretReadable().checked).toBeGreaterThan(30);
  expect(sandbox.inspect.everyApiKeyValid().checked).toBeGreaterThan(48 + 50);
  expect(sandbox.inspect.everyWorkerTokenRenewed()).toMatchObject({ ok: true });
  expect(sandbox.inspect.namespaces()).toContain('load-0');
  expect(sandbox.inspect.refused()).toEqual([]);
});

test('what a load was refused by a service that was ready is told', async () => {
  const sandbox = await struck([{ what: 'migrations' }], { world: { load: { every: 5_000 } } });
  await pass(sandbox, 30 * MINUTE);
  expect(sandbox.inspect.refused()[0]).toMatch(/ess-api-deployment-.*: (?:GET|PUT) .*: 500 /);
});

test('a load and what struck are the same in a world that is opened again', async () => {
  const dir = folderOf();
  const first = await struck([{ what: 'kill-pod', of: 'ess' }], { dir, world: { load: { every: 5_000 } } });
  await pass(first, 10 * MINUTE);
  const seen = (sandbox: Sandbox) => [
    sandbox.inspect.struck(),
    sandbox.inspect.nekRows(),
    sandbox.inspect.everySecretReadable().checked,
    sandbox.inspect.everyApiKeyValid().checked,
  ];
  const before = seen(first);
  first.close();
  const second = openSandbox({ dir, seed: 5 });
  expect(seen(second)).toEqual(before);
  second.close();
});

test.each<readonly [Strike, string]>([
  [{ what: 'kill-pod', of: 'openbao-active' }, 'kill-pod openbao-active'],
  [{ what: 'kill-pod', of: 'openbao-standby', at: 1, gone: true }, 'kill-pod openbao-standby'],
  [{ what: 'kill-pod', of: 'api-keys', gone: true }, 'kill-pod api-keys'],
  [{ what: 'kill-pod', of: 'cassandra', at: 2 }, 'kill-pod cassandra'],
  [{ what: 'seal', of: 'openbao-active', for: 1000 }, 'seal openbao-active'],
  [{ what: 'step-down' }, 'step-down'],
  [{ what: 'stop-nodes', nodes: [0, 1], for: 60_000 }, 'stop-nodes 2'],
  [{ what: 'write-document', how: 'field' }, 'write-document field written'],
  [{ what: 'write-document', how: 'blind' }, 'write-document blind written'],
  [{ what: 'migrations' }, 'migrations written'],
])('%j is counted as %s, and the world comes back from it', async (strike, told) => {
  const sandbox = await struck([strike]);
  expect(sandbox.inspect.struck()).toEqual([told]);
  await pass(sandbox, 10 * MINUTE);
  const pods = await sandbox.services.kubernetes.list(kinds.pods, {});
  const ready = pods.every(({ status }) =>
    (status as { conditions?: { type: string; status: string }[] }).conditions?.some(
      (condition) => condition.type === 'Ready' && condition.status === 'True',
    ),
  );
  expect(ready).toBe(true);
  expect(sandbox.inspect.secret()).toBeDefined();
});

test('somebody reorders the keys behind the first in both sets, and changes nothing else', async () => {
  const sandbox = await struck([], { world: { earlierKeys: 2 } });
  const before = documentOf(sandbox);
  const after = documentOf(
    await struck([{ what: 'write-document', how: 'reorder' }], { world: { earlierKeys: 2 } }),
  );
  for (const name of ['keys', 'private_jwks'] as const) {
    const [first, second, third] = setOf(before, name);
    expect(setOf(after, name)).toEqual([first, third, second]);
  }
  expect(after.current_kid).toBe(before.current_kid);
});

test('somebody re-encrypts keys, if any lies under an earlier master key', async () => {
  const idle = await struck([{ what: 'reencrypt', keys: 5, around: 0, promoted: true }]);
  expect(idle.inspect.struck()).toEqual([]);
  const script = {
    world: small,
    strikes: [{ after: 3, strike: { what: 'reencrypt', keys: 5, around: 2, promoted: true } as const }],
  };
  const sandbox = openSandbox({ seed: 5, script });
  appendKey(sandbox, newer[0], 1);
  activateKey(sandbox, newer[0]);
  await list(sandbox);
  expect(sandbox.inspect.struck()).toEqual(['reencrypt']);
  const own = () => sandbox.inspect.nekRows().filter((row) => row.encryptedByKid === newer[0]);
  expect(own().map(({ status }) => status)).toEqual(Array.from({ length: 5 }, () => 'PENDING_REENCRYPTION'));
  await pass(sandbox, 10_000);
  expect(own().map(({ status }) => status)).toEqual(Array.from({ length: 5 }, () => 'VALIDATED'));
  expect(sandbox.inspect.everyRowKept()).toMatchObject({ ok: true });
  expect(sandbox.inspect.everySecretReadable({ afterRestart: true })).toMatchObject({ ok: true });
});

test('a row that was changed or deleted is found', async () => {
  const sandbox = await struck([]);
  const [first, second] = sandbox.inspect.nekRows();
  if (first === undefined || second === undefined) throw new Error('no rows');
  expect(sandbox.inspect.everyRowKept()).toEqual({ ok: true, checked: 12, problems: [] });
  sandbox.control.updateRow(first, { status: 'PENDING_REENCRYPTION' });
  expect(sandbox.inspect.everyRowKept().ok).toBe(true);
  sandbox.control.deleteRow(first);
  sandbox.control.updateRow(second, { createdAt: first.createdAt });
  expect(sandbox.inspect.everyRowKept().problems).toHaveLength(2);
});

test('a lost answer is counted when an answer is lost', async () => {
  const sandbox = await struck([{ what: 'lose', at: 'patch', applied: true }]);
  expect(sandbox.inspect.struck()).toEqual([]);
  const change = { type: 'merge', body: { metadata: { annotations: { a: 'b' } } } } as const;
  const ref = { kind: kinds.deployments, namespace: 'ess', name: 'ess-api-deployment' };
  await expect(sandbox.services.kubernetes.patch(ref, change)).rejects.toMatchObject({ outcome: 'unknown' });
  expect(sandbox.inspect.struck()).toEqual(['lose patch lost']);
});

test('a process dies at a call, which is written down before, and calls are counted', async () => {
  const dir = folderOf();
  const count = path.join(dir, 'count.json');
  const killed = new Error('killed');
  const sandbox = openSandbox({
    dir,
    seed: 5,
    script: { world: small, strikes: [{ after: 2, strike: { what: 'die' } }], count },
    die: () => {
      throw killed;
    },
  });
  await list(sandbox);
  await expect(list(sandbox)).rejects.toBe(killed);
  sandbox.close();
  expect(JSON.parse(readFileSync(count, 'utf8'))).toEqual({ calls: 2, changes: [] });
  const again = openSandbox({ dir, seed: 5 });
  expect(again.inspect.struck()).toEqual(['die']);
  await again.services.clock.sleep(1, never);
  again.close();
});
