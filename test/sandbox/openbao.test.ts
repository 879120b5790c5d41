import { describe, expect, test } from 'vitest';
import { Secret } from '../../src/engine/secret.ts';
import { openSandbox, type Sandbox } from '../../src/sandbox/open.ts';
import { type KubernetesObject, kinds } from '../../src/services/kubernetes.ts';
import type { OpenBaoNode } from '../../src/services/openbao.ts';
import { conditionOf, never } from './rig.ts';

const namespace = 'vault-system';
const servers = { namespace, labelSelector: 'component=server' };
const token = (seed: number) => Secret.fromText('token', `s.sandbox-root-${seed}`);

async function pods(sandbox: Sandbox): Promise<readonly KubernetesObject[]> {
  return sandbox.services.kubernetes.list(kinds.pods, servers);
}

async function nodes(sandbox: Sandbox): Promise<readonly OpenBaoNode[]> {
  return Promise.all(
    (await pods(sandbox)).map(({ metadata }) =>
      sandbox.services.openbao.node({ namespace, pod: metadata.name, uid: metadata.uid }, never),
    ),
  );
}

async function leader(sandbox: Sandbox): Promise<string | undefined> {
  return (await nodes(sandbox)).find(({ active }) => active)?.pod;
}

function labelled(all: readonly KubernetesObject[], label: string, value: string): readonly string[] {
  return all
    .filter(({ metadata }) => metadata.labels?.[label] === value)
    .map(({ metadata }) => metadata.name);
}

async function deletePod(sandbox: Sandbox, name: string): Promise<void> {
  await sandbox.services.kubernetes.delete({ kind: kinds.pods, namespace, name }, {});
}

describe('a restarted OpenBao pod', () => {
  test('is Ready long before it is unsealed, and catches up after that', async () => {
    const sandbox = openSandbox({ seed: 21 });
    const active = await leader(sandbox);
    const standby =
      ['openbao-server-0', 'openbao-server-1', 'openbao-server-2'].find((name) => name !== active) ?? '';
    const before = (await pods(sandbox)).find(({ metadata }) => metadata.name === standby)?.metadata.uid;
    await deletePod(sandbox, standby);
    const moments: string[] = [];
    for (let second = 0; second < 150; second += 1) {
      await sandbox.services.clock.sleep(1_000, never);
      const pod = (await pods(sandbox)).find(
        ({ metadata }) => metadata.name === standby && metadata.uid !== before,
      );
      if (pod === undefined || conditionOf(pod, 'Ready')?.status !== 'True') continue;
      const node = await sandbox.services.openbao.node(
        { namespace, pod: standby, uid: pod.metadata.uid },
        never,
      );
      const behind = (node.raftCommittedIndex ?? 0) - (node.raftAppliedIndex ?? 0);
      const moment = node.sealed ? 'ready, sealed' : behind > 0 ? 'unsealed, behind' : 'caught up';
      if (moments.at(-1) !== moment) moments.push(moment);
    }
    expect(moments).toEqual(['ready, sealed', 'unsealed, behind', 'caught up']);
    expect(await leader(sandbox)).toBe(active);
  });

  test('stays sealed without the Secret that its sidecar reads', async () => {
    const sandbox = openSandbox({ seed: 21 });
    await sandbox.services.kubernetes.delete(
      { kind: kinds.secrets, namespace, name: 'openbao-server-unseal' },
      {},
    );
    const active = await leader(sandbox);
    const standby = active === 'openbao-server-2' ? 'openbao-server-1' : 'openbao-server-2';
    await deletePod(sandbox, standby);
    await sandbox.services.clock.sleep(600_000, never);
    expect((await nodes(sandbox)).filter(({ sealed }) => sealed).map(({ pod }) => pod)).toEqual([standby]);
    expect(labelled(await pods(sandbox), 'openbao-sealed', 'true')).toEqual([standby]);
  });
});

describe('leadership', () => {
  test('moves after a gap when the active pod is deleted', async () => {
    const sandbox = openSandbox({ seed: 22 });
    const active = (await leader(sandbox)) ?? '';
    await deletePod(sandbox, active);
    let gap = 0;
    let next: string | undefined = active;
    for (let tenth = 0; tenth < 200 && (next === active || next === undefined); tenth += 1) {
      await sandbox.services.clock.sleep(100, never);
      const all = await pods(sandbox);
      [next] = labelled(all, 'openbao-active', 'true');
      if (next === undefined) gap += 100;
    }
    expect(gap).toBeGreaterThanOrEqual(2_000);
    expect(gap).toBeLessThan(8_000);
    expect(next).not.toBe(active);
  });

  test('goes to another node after a step-down, and the labels follow', async () => {
    const sandbox = openSandbox({ seed: 23 });
    const active = (await leader(sandbox)) ?? '';
    const pod = (await pods(sandbox)).find(({ metadata }) => metadata.name === active);
    await sandbox.services.openbao.stepDown(
      { namespace, pod: active, uid: pod?.metadata.uid ?? '' },
      token(23),
      never,
    );
    expect(await leader(sandbox)).toBeUndefined();
    await sandbox.services.clock.sleep(2_000, never);
    const next = await leader(sandbox);
    expect(next).not.toBe(active);
    expect(labelled(await pods(sandbox), 'openbao-active', 'true')).toEqual([next]);
  });

  test('is lost with the quorum and comes back with it', async () => {
    const sandbox = openSandbox({ seed: 24 });
    const active = (await leader(sandbox)) ?? '';
    const others = (await pods(sandbox))
      .map(({ metadata }) => metadata.name)
      .filter((name) => name !== active);
    for (const name of others) sandbox.control.seal(namespace, name);
    await sandbox.services.clock.sleep(30_000, never);
    expect(await leader(sandbox)).toBeUndefined();
    for (const name of others) await deletePod(sandbox, name);
    await sandbox.services.clock.sleep(200_000, never);
    expect((await nodes(sandbox)).every(({ sealed }) => !sealed)).toBe(true);
    expect(await leader(sandbox)).toBeDefined();
  });

  test('a pod that was replaced under its name is not mistaken for the old one', async () => {
    const sandbox = openSandbox({ seed: 25 });
    const active = await leader(sandbox);
    const old = (await pods(sandbox)).find(({ metadata }) => metadata.name !== active);
    const target = { namespace, pod: old?.metadata.name ?? '', uid: old?.metadata.uid ?? '' };
    expect(await sandbox.services.openbao.node(target, never)).toMatchObject({ sealed: false });
    await deletePod(sandbox, target.pod);
    await sandbox.services.clock.sleep(30_000, never);
    await expect(sandbox.services.openbao.node(target, never)).rejects.toThrow(/was replaced/);
  });
});

describe('bao in the pod', () => {
  const bao = async (sandbox: Sandbox, text: string) =>
    sandbox.services.kubernetes.exec(
      { namespace, pod: 'openbao-server-0', container: 'openbao', command: ['sh', '-c', text] },
      never,
    );

  test('status ends with 0 unsealed, 2 sealed and 1 without a server', async () => {
    const sandbox = openSandbox({ seed: 26 });
    const status = await bao(sandbox, 'BAO_ADDR=http://127.0.0.1:8200 bao status -format=json');
    expect(status.exitCode).toBe(0);
    expect(JSON.parse(status.stdout)).toMatchObject({
      initialized: true,
      sealed: false,
      ha_enabled: true,
      storage_type: 'raft',
    });
    sandbox.control.seal(namespace, 'openbao-server-0');
    const sealed = await bao(sandbox, 'bao status');
    expect(sealed.exitCode).toBe(2);
    expect(sealed.stdout).toMatch(/^Sealed +true$/m);
  });

  test('needs the token for raft and for stepping down', async () => {
    const sandbox = openSandbox({ seed: 26 });
    expect(await bao(sandbox, 'BAO_TOKEN=wrong bao operator raft list-peers')).toMatchObject({ exitCode: 2 });
    const peers = await bao(sandbox, 'BAO_TOKEN=s.sandbox-root-26 bao operator raft list-peers -format=json');
    expect(JSON.parse(peers.stdout).data.config.servers).toHaveLength(3);
    const active = await leader(sandbox);
    expect(await bao(sandbox, 'VAULT_TOKEN=s.sandbox-root-26 bao operator step-down')).toMatchObject({
      exitCode: 0,
    });
    await sandbox.services.clock.sleep(3_000, never);
    expect(await leader(sandbox)).not.toBe(active);
  });
});
