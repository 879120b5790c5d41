import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { CommandError, type Options, UsageError } from '../../src/commands/command.ts';
import { stageOf } from '../../src/commands/rehearsal-stage.ts';
import type { LiveReport } from '../../src/rehearsal/live/report.ts';
import { kinds } from '../../src/services/kubernetes.ts';
import { type SandboxApiServer, startSandboxApiServer } from '../fakes/sandbox-apiserver.ts';
import { surroundings } from './shipped.ts';

async function cluster(
  change: (server: SandboxApiServer) => unknown = () => undefined,
): Promise<SandboxApiServer> {
  const server = await startSandboxApiServer();
  onTestFinished(() => server[Symbol.asyncDispose]());
  await change(server);
  return server;
}

async function stage(options: Options) {
  const folder = mkdtempSync(path.join(tmpdir(), 'runbook-live-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const input = ['service=nvcf-api', 'replicas=3'];
  return await stageOf('scale-service', { input, ...options }, surroundings(folder), folder);
}

async function refused(options: Options): Promise<CommandError> {
  const error = await stage(options).catch((caught: unknown) => caught);
  expect(error).toBeInstanceOf(CommandError);
  return error as CommandError;
}

async function reportOf({ kubeconfig }: SandboxApiServer): Promise<LiveReport> {
  const { live } = await stage({ fromCluster: true, kubeconfig });
  if (live === undefined) throw new Error('the stage is of no cluster');
  return live;
}

test.each<[string, Options, RegExp]>([
  ['--world', { fromCluster: true, world: 'last' }, /give either --from-cluster or --world/],
  ['--sandbox', { fromCluster: true, sandbox: true }, /give either --from-cluster or --sandbox/],
  ['--context without it', { context: 'prod' }, /--context works with --from-cluster only/],
  ['--kubeconfig without it', { kubeconfig: 'x' }, /--kubeconfig works with --from-cluster only/],
])('%s is refused before anything is read', async (_, options, message) => {
  const error = await stage(options).catch((caught: unknown) => caught);
  expect(error).toBeInstanceOf(UsageError);
  expect((error as UsageError).message).toMatch(message);
  expect((error as UsageError).hint).toBeDefined();
});

test('every right that is missing is named at once, with the way out', async () => {
  const { kubeconfig } = await cluster(({ world }) => {
    world.denials.push({ verb: 'list', resource: 'deployments', namespace: 'nvcf' });
    world.denials.push({ verb: 'list', resource: 'configmaps' });
  });
  const error = await refused({ fromCluster: true, kubeconfig });
  expect(error.exitCode).toBe(4);
  expect(error.message).toMatch(
    /Cannot list configmaps in api-keys: 403 Forbidden: .*The same in .*ess,.*vault-system\.$/m,
  );
  expect(error.message).toMatch(/Cannot list deployments\.apps in nvcf: 403 Forbidden/);
  expect(error.message.split('\n')).toHaveLength(2);
  expect(error.hint).toContain('list deployments.apps in nvcf:');
  expect(error.hint).toMatch(/list configmaps in api-keys, .*, nvcf,/);
  expect(error.hint).toContain('--context');
});

test('a cluster that does not answer is said to, with its address', async () => {
  const server = await cluster();
  await server.stop();
  const error = await refused({ fromCluster: true, kubeconfig: server.kubeconfig });
  expect(error.exitCode).toBe(4);
  expect(error.message).toContain(server.url);
  expect(error.message).toContain('the connection was refused');
});

test('a cluster without any of the services is not rehearsed', async () => {
  const server = await cluster(async ({ inside }) => {
    for (const kind of [kinds.deployments, kinds.statefulSets])
      for (const { metadata } of await inside.list(kind, {}))
        await inside.delete({ kind, namespace: metadata.namespace ?? '', name: metadata.name }, {});
  });
  const error = await refused({ fromCluster: true, kubeconfig: server.kubeconfig });
  expect(error.message).toContain('no service of the inventory is in this cluster');
  expect(error.hint).toContain('--context');
});

test('two workloads for one service are refused, as everywhere', async () => {
  const server = await cluster(async ({ inside }) => {
    const api = { kind: kinds.deployments, namespace: 'nvcf', name: 'nvcf-api' };
    const found = await inside.get(api);
    const { spec } = JSON.parse(JSON.stringify(found)) as { spec: object };
    await inside.create({
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'nvcf-api-2', namespace: 'nvcf' },
      spec: spec as never,
    });
  });
  const error = await refused({ fromCluster: true, kubeconfig: server.kubeconfig });
  expect(error.message).toMatch(/matches 2 workloads in namespace nvcf/);
});

test('nodes that may not be seen stay those of the sandbox, and that is said', async () => {
  const report = await reportOf(
    await cluster(({ world }) => void world.denials.push({ verb: 'list', resource: 'nodes' })),
  );
  expect(report.live.map(({ kind }) => kind)).not.toContain('Node');
  expect(report.simulated.join('\n')).toMatch(/^Nodes: they may not be read\. Cannot list nodes: 403/m);
});

test('a store that is not in the cluster is the own one of the sandbox, and that is said', async () => {
  const nats = { kind: kinds.statefulSets, namespace: 'nats-system', name: 'nats' };
  const report = await reportOf(await cluster(({ inside }) => inside.delete(nats, {})));
  expect(report.live).toContainEqual({ kind: 'StatefulSet', count: 2 });
  expect(report.simulated.join('\n')).toContain('StatefulSet nats-system/nats: there is none');
  expect(report.unready).toEqual([]);
});

test('what is not settled there, and what does not come up here, is said', async () => {
  const notary = { kind: kinds.deployments, namespace: 'nvcf', name: 'notary-service' };
  const report = await reportOf(
    await cluster(async ({ inside, pass }) => {
      await inside.create({
        apiVersion: 'batch/v1',
        kind: 'Job',
        metadata: { name: 'at-work', namespace: 'nvcf' },
        spec: {
          template: {
            spec: { restartPolicy: 'Never', containers: [{ name: 'main', image: 'busybox:1.36' }] },
          },
        },
      });
      const container = { name: 'helm-nvcf-notary-service', image: 'nvcf/notary-service:does-not-exist' };
      const body = { spec: { template: { spec: { containers: [container] } } } };
      await inside.patch(notary, { type: 'strategic', body });
      await pass(60_000);
    }),
  );
  expect(report.otherwise).toEqual([
    'Deployment nvcf/notary-service: a rollout of it is not through there; here it goes on to its end.',
    'Job nvcf/at-work: it has not ended there; here it begins anew.',
  ]);
  expect(report.unready.join('\n')).toMatch(/^Pod nvcf\/notary-service-.*: containers with unready status/m);
});
