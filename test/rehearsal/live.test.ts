import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { Options } from '../../src/commands/command.ts';
import { stageOf } from '../../src/commands/rehearsal-stage.ts';
import { rehearsalJson, rehearsalText } from '../../src/output/rehearsal-text.ts';
import { rehearse } from '../../src/rehearsal/rehearse.ts';
import type { Stage } from '../../src/rehearsal/stage.ts';
import { otherKinds } from '../../src/sandbox/catalog.ts';
import { openSandbox, type Sandbox } from '../../src/sandbox/open.ts';
import { kinds } from '../../src/services/kubernetes.ts';
import { canaryScanner, secretText } from '../cli/canaries.ts';
import { type SandboxApiServer, startSandboxApiServer } from '../fakes/sandbox-apiserver.ts';
import { at } from '../sandbox/rig.ts';
import { canaries, changeCluster, container } from './live-world.ts';
import { surroundings } from './shipped.ts';

const scanner = canaryScanner(Object.entries(canaries).map(([name, text]) => secretText(name, text)));

async function cluster(change = changeCluster): Promise<SandboxApiServer> {
  const server = await startSandboxApiServer();
  onTestFinished(() => server[Symbol.asyncDispose]());
  await change(server);
  return server;
}

/** The stage of a rehearsal that begins as the cluster of this server is. */
async function stageFrom(
  server: SandboxApiServer,
  [name, ...input]: readonly string[] = ['scale-service', 'service=nvcf-api', 'replicas=3'],
): Promise<Stage> {
  const folder = mkdtempSync(path.join(tmpdir(), 'runbook-live-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const options: Options = { input, fromCluster: true, kubeconfig: server.kubeconfig };
  return await stageOf(name ?? '', options, surroundings(folder), folder);
}

function worldOf({ from, seed }: Stage): Sandbox {
  const sandbox = openSandbox({ from, seed });
  onTestFinished(() => sandbox.close());
  return sandbox;
}

const api = { kind: kinds.deployments, namespace: 'nvcf', name: 'nvcf-api' };

test('the rehearsed world has the workload of the cluster: replicas, image, environment, and it runs', async () => {
  const { services } = worldOf(await stageFrom(await cluster()));
  const found = await services.kubernetes.get(api);
  expect(at(found, 'spec', 'replicas')).toBe(5);
  const main = at(found, 'spec', 'template', 'spec', 'containers', 0);
  expect(main).toMatchObject({ name: container, image: 'registry.example/nvcf/api:2.1.0' });
  expect(main).toHaveProperty('env', expect.arrayContaining([{ name: 'EXTRA', value: 'there' }]));
  expect(main).toHaveProperty('env', expect.arrayContaining([{ name: 'REGION', value: 'eu-north' }]));
  // Its program and its probe are not here: the simulated server of that name is what becomes ready.
  expect(at(found, 'status', 'readyReplicas')).toBe(5);
});

test('revisions come along with their numbers, the newest in use, and none is made anew', async () => {
  const server = await cluster();
  const { services } = worldOf(await stageFrom(server));
  const revisions = async (from: Pick<SandboxApiServer['inside'], 'list'>) =>
    (await from.list(kinds.replicaSets, { namespace: 'nvcf' }))
      .filter(({ metadata }) => metadata.name.startsWith('nvcf-api-'))
      .map(({ metadata, spec }) => [
        metadata.name,
        metadata.annotations?.['deployment.kubernetes.io/revision'],
        spec?.replicas,
      ]);
  const ofSets = async (from: Pick<SandboxApiServer['inside'], 'list'>) =>
    (await from.list(kinds.controllerRevisions, {})).map(({ metadata }) => metadata.name);
  expect(await ofSets(services.kubernetes)).toEqual(await ofSets(server.inside));
  const live = await revisions(server.inside);
  expect(live).toHaveLength(3);
  expect(await revisions(services.kubernetes)).toEqual(live);
});

test('what is not there is not here, and every other service of the cluster runs', async () => {
  const server = await cluster();
  const { services, inspect } = worldOf(await stageFrom(server));
  const names = async (from: Pick<SandboxApiServer['inside'], 'list'>) =>
    (
      await Promise.all(
        [kinds.deployments, kinds.statefulSets, kinds.services].map((kind) => from.list(kind, {})),
      )
    )
      .flat()
      .map(({ kind, metadata }) => `${kind} ${metadata.namespace}/${metadata.name}`);
  const here = await names(services.kubernetes);
  const there = await names(server.inside);
  expect(here).not.toContain('Deployment sis/spot-instance-service');
  expect(here).toEqual(there.filter((name) => name !== 'Deployment nvcf/somebodys-own'));
  const pods = await services.kubernetes.list(kinds.pods, {});
  expect(pods.length).toBeGreaterThan(20);
  for (const pod of pods) expect(at(pod, 'status', 'phase'), pod.metadata.name).toBe('Running');
  expect(inspect.everySecretReadable().problems).toEqual([]);
  expect(await services.kubernetes.list(otherKinds.podDisruptionBudgets, {})).toHaveLength(1);
});

test('nothing is asked of the cluster but to be read, no Secret among it', async () => {
  const server = await cluster();
  await stageFrom(server);
  expect(server.requests.length).toBeGreaterThan(50);
  expect(server.requests.filter(({ method }) => method !== 'GET')).toEqual([]);
  expect(server.requests.filter(({ path: asked }) => /secrets|watch/.test(asked))).toEqual([]);
});

test('no canary is in what is written down, in the text or in the JSON', async () => {
  const stage = await stageFrom(await cluster());
  const files = readdirSync(stage.from, { recursive: true, withFileTypes: true }).filter((each) =>
    each.isFile(),
  );
  expect(files.map(({ name }) => name)).toContain('world.jsonl');
  for (const { parentPath, name } of files)
    expect(scanner.find(readFileSync(path.join(parentPath, name))), name).toEqual([]);
  const rehearsal = await rehearse(stage, { wanted: (_, way) => way === 'crash-after' });
  expect(scanner.find(rehearsalJson(rehearsal))).toEqual([]);
  expect(scanner.find(rehearsalText(rehearsal, { columns: 120, color: false }))).toEqual([]);
  const { services } = worldOf(stage);
  const map = await services.kubernetes.get({ kind: kinds.configMaps, namespace: 'nvcf', name: 'live' });
  expect(map?.data).toEqual({ 'app.yaml': expect.stringMatching(/^made-up-\d+$/), level: 'debug' });
  const env = at(await services.kubernetes.get(api), 'spec', 'template', 'spec', 'containers', 0, 'env');
  expect(env).toContainEqual({ name: 'DB_PASSWORD', value: expect.stringMatching(/^made-up-\d+$/) });
  expect(env).toContainEqual({
    name: 'FROM_SECRET',
    valueFrom: { secretKeyRef: { name: 'nvcf-live', key: 'word' } },
  });
});

test('a rollback brings back the five replicas of the cluster, and the result says what is live', async () => {
  const rehearsal = await rehearse(await stageFrom(await cluster()));
  expect(rehearsal.rows.map(({ verdict }) => verdict)).toEqual(Array(6).fill('restored'));
  expect(rehearsal.live).toMatchObject({
    context: 'test',
    live: expect.arrayContaining([
      { kind: 'StatefulSet', count: 3 },
      { kind: 'ReplicaSet', count: 13 },
    ]),
    otherwise: [],
    leftOut: [{ what: 'Deployment nvcf/somebodys-own', why: expect.stringContaining('inventory') }],
  });
  const text = rehearsalText(rehearsal, { columns: 200, color: false });
  expect(text).toMatch(/^Shaped like the cluster of context test \(.*\), which was read and not changed$/m);
  expect(text).toMatch(/^ {2}\d+ values that look secret/m);
  expect(text).toMatch(/^ {2}Secrets: none was read/m);
  expect(text).toMatch(/^ {2}1, no service of the inventory.*: Deployment nvcf\/somebodys-own$/m);
});

test.each([
  [['spot-upgrade', 'service=nvcf-api', 'version=1.25.2', 'reuse=true'], 'upgrade'],
  [['rollback-release', 'service=nvcf-api'], 'rollback'],
])('%j changes the workload of the cluster, and brings it back', async (asked, changed) => {
  const stage = await stageFrom(await cluster(), asked);
  const rehearsal = await rehearse(stage, {
    wanted: ({ id }, way) => id === changed && way === 'crash-after',
  });
  const rows = rehearsal.rows.map(({ verdict, struck, unrestored }) => ({ verdict, struck, unrestored }));
  const verdict = expect.stringMatching(/^(restored|kept)$/);
  expect(rows).toEqual(Array(2).fill({ verdict, struck: true, unrestored: [] }));
});
