import { describe, expect, test } from 'vitest';
import { openSandbox, type Sandbox } from '../../src/sandbox/open.ts';
import { kinds } from '../../src/services/kubernetes.ts';
import { never, pass } from '../sandbox/rig.ts';
import { lookAt, prepareWorld, seed } from './key-world.ts';
import { createRig, type Rig } from './rig.ts';
import { runFolderOf, writesOf } from './state.ts';

const namespace = 'nats-system';
const pods = ['nats-0', 'nats-1', 'nats-2'];
const restart = ['exec', 'rolling-restart-nats', '--sandbox', '--yes'];
const upgrade = [
  'exec',
  'upgrade-nats',
  '--sandbox',
  '--yes',
  ...['version=0.7.2', 'reuse=true', 'podTimeout=2m'].flatMap((value) => ['--input', value]),
];

/** Both streams as the first server of the run's world has them now, once every copy has caught up. */
async function streamsOf(rig: Rig): Promise<unknown> {
  const sandbox = openSandbox({ from: runFolderOf(rig), seed });
  try {
    await pass(sandbox, 30_000);
    const all = await Promise.all(
      pods.map(async (pod) => {
        const { streams } = await sandbox.services.nats.server({ namespace, pod, port: 8222 }, never);
        return streams.map(({ name, messages, lastSequence }) => [name, messages, lastSequence]);
      }),
    );
    for (const other of all) expect(other).toEqual(all[0]);
    return all[0];
  } finally {
    sandbox.close();
  }
}

const seeded = [
  ['CreateNvcaFunctionTaskStream', 3, 973],
  ['TerminateNvcaStream', 12, 4812],
];

/** The StatefulSet as a rollback must leave it: partition and image, and the image of every pod. */
async function setOf(rig: Rig): Promise<unknown> {
  const sandbox = openSandbox({ from: runFolderOf(rig), seed });
  try {
    await pass(sandbox, 30_000);
    const { kubernetes } = sandbox.services;
    const set = await kubernetes.get({ kind: kinds.statefulSets, namespace, name: 'nats' });
    const found = await kubernetes.list(kinds.pods, {
      namespace,
      labelSelector: 'app.kubernetes.io/component=nats',
    });
    const imageOf = (spec: unknown) =>
      (spec as { containers: readonly { image: string }[] }).containers[0]?.image;
    const spec = set?.spec as { updateStrategy?: { rollingUpdate?: unknown }; template: { spec: unknown } };
    return {
      rolling: spec.updateStrategy?.rollingUpdate ?? {},
      image: imageOf(spec.template.spec),
      pods: found.map((pod) => imageOf(pod.spec)),
    };
  } finally {
    sandbox.close();
  }
}

const earlier = {
  image: 'nats:2.11.17-alpine3.22',
  pods: Array.from({ length: 3 }, () => 'nats:2.11.17-alpine3.22'),
};

function deletions(rig: Rig): readonly (readonly [string, number])[] {
  return Object.entries(writesOf(rig))
    .filter(([what]) => what.startsWith('DELETE'))
    .map(([what, times]) => [what.slice(what.lastIndexOf('/') + 1), times] as const)
    .sort();
}

describe('rolling-restart-nats', () => {
  test('deletes each pod once, the meta leader last, and keeps both streams', async () => {
    const rig = createRig();
    const { code, stdout, stderr } = await rig.run(restart);
    expect(code, stderr).toBe(0);
    expect(deletions(rig)).toEqual(pods.map((pod) => [pod, 1]));
    const order = [...stderr.matchAll(/^\S+ {2}ok +each\[(nats-\d)\]\/replace/gm)].map(([, pod]) => pod);
    const [, leader] = /(\S+) leads/.exec(stdout) ?? [];
    expect(order).toHaveLength(3);
    expect(order.at(-1)).not.toBe(leader);
    expect(await streamsOf(rig)).toEqual(seeded);
  });

  test.each<readonly [string, (sandbox: Sandbox) => void | Promise<void>, readonly string[]]>([
    [
      'a stream is missing',
      (sandbox) => sandbox.control.dropStream('TerminateNvcaStream'),
      ['stream TerminateNvcaStream does not exist', 'NATS_RECONNECT_ALLOWED=true'],
    ],
    [
      'the meta group has no leader',
      (sandbox) => sandbox.control.loseMetaLeader(3_600_000),
      ['the servers do not agree on a meta leader', 'has not established contact with a meta leader'],
    ],
    [
      'a pod is down',
      async ({ services }) => {
        const ref = { kind: kinds.statefulSets, namespace, name: 'nats' };
        await services.kubernetes.patch(ref, { type: 'merge', body: { spec: { replicas: 2 } } });
        await services.clock.sleep(60_000, never);
      },
      ['the cluster has 3 members, but there are 2 pods', 'nats-2 is offline'],
    ],
  ])('touches nothing while %s', async (_, change, said) => {
    const world = await prepareWorld(change);
    const rig = createRig();
    const { code, stderr } = await rig.run([...restart, '--world', world]);
    expect(code, stderr).toBe(4);
    for (const text of said) expect(stderr).toContain(text);
    expect(stderr).toContain('nothing was changed, and no run was begun');
  });

  test('stops at the pod that cannot be replaced; a rollback tells what does not come back', async () => {
    const rig = createRig();
    const first = await rig.run([...restart, '--fault', 'each[nats-2]/replace=error']);
    expect(first.code, first.stderr).toBe(1);
    expect(deletions(rig).length).toBeLessThan(3);
    const before = deletions(rig);
    const undone = await rig.run(['rollback', 'last', '--yes']);
    expect(undone.code, undone.stderr).toBe(before.length === 0 ? 4 : 5);
    expect(undone.stderr).toContain('A deleted pod does not come back');
    expect(deletions(rig)).toEqual(before);
    expect(await streamsOf(rig)).toEqual(seeded);
  });

  test.each(['after:intended', '14', '23', '32', '41'])(
    'killed at %s it goes on where it was, and deletes no pod twice',
    async (point) => {
      const rig = createRig();
      const first = await rig.run(restart, { env: { RUNBOOK_FAILPOINT: point } });
      expect(first.signal, first.stderr).toBe('SIGKILL');
      const { code, stderr } = await rig.run(['resume', 'last', '--yes']);
      expect(code, stderr).toBe(0);
      expect(deletions(rig)).toEqual(pods.map((pod) => [pod, 1]));
      expect(await streamsOf(rig)).toEqual(seeded);
    },
  );
});

describe('upgrade-nats', () => {
  test('killed between two pods it goes on, and both streams are kept', async () => {
    const rig = createRig();
    const first = rig.start(upgrade);
    await first.shows('each[nats-1]/letGo');
    first.signal('SIGKILL');
    expect((await first.finished).signal).toBe('SIGKILL');
    const { code, stderr } = await rig.run(['resume', 'last', '--yes']);
    expect(code, stderr).toBe(0);
    expect(await setOf(rig)).toMatchObject({ rolling: { partition: 0 }, pods: { length: 3 } });
    expect(await setOf(rig)).not.toMatchObject(earlier);
    expect(await streamsOf(rig)).toEqual(seeded);
  });

  test('that fails between two pods is rolled back pod by pod: chart, images and streams are as before', async () => {
    const rig = createRig();
    const first = await rig.run([...upgrade, '--fault', 'each[nats-1]/letGo=error']);
    expect(first.code, first.stderr).toBe(1);
    const { code, stderr } = await rig.run(['rollback', 'last', '--yes']);
    expect(code, stderr).toBe(5);
    expect(await setOf(rig)).toMatchObject(earlier);
    expect(await streamsOf(rig)).toEqual(seeded);
  });

  test('is refused for a minor step, and while a stream is missing', async () => {
    const minor = upgrade.map((word) => (word === 'version=0.7.2' ? 'version=0.8.0' : word));
    const far = await createRig().run(minor);
    expect(far.code, far.stderr).toBe(4);
    expect(far.stderr).toContain('--input step=minor');
    const world = await prepareWorld((sandbox) => sandbox.control.dropStream('TerminateNvcaStream'));
    const rig = createRig();
    const missing = await rig.run([...upgrade, '--world', world]);
    expect(missing.code, missing.stderr).toBe(4);
    expect(missing.stderr).toContain('stream TerminateNvcaStream does not exist');
  });
});

describe('cluster-state', () => {
  test('looks at all three clusters whatever the first one says, and fails', async () => {
    const world = await prepareWorld((sandbox) => sandbox.control.dropStream('TerminateNvcaStream'));
    const { code, stderr } = await createRig().run(['exec', 'cluster-state', '--sandbox', '--world', world]);
    expect(code, stderr).toBe(1);
    expect(stderr).toContain('stream TerminateNvcaStream does not exist');
    expect(stderr).toContain('ok          cassandra/whole');
    expect(stderr).toContain('ok          openbao/whole');
  });

  test('says of a sealed OpenBao what readiness does not', async () => {
    const world = await prepareWorld((sandbox) => {
      for (const pod of ['openbao-server-0', 'openbao-server-1']) sandbox.control.seal('vault-system', pod);
    });
    expect(lookAt(world, ({ inspect }) => inspect.struck())).toEqual([]);
    const { code, stderr } = await createRig().run(['exec', 'openbao-state', '--sandbox', '--world', world]);
    expect(code, stderr).toBe(1);
    expect(stderr).toMatch(/[12] of 3 unsealed/);
  });
});
